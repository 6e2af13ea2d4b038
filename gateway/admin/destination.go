package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/examine"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// check tests a destination and answers with the report.
func (h *Handlers) check(w *observe.Response, r *http.Request, v *live.View) error {
	var req adminapi.CheckRequest
	if err := ReadJSON(r, &req); err != nil {
		return err
	}
	w.Entry.Destination = req.ID
	if req.Candidate == nil {
		// The destination may have been saved after the view was loaded.
		fresh, err := h.state.Refresh(r.Context())
		if err != nil {
			return err
		}
		v = fresh
	}
	report, err := h.examine(r.Context(), v, req)
	if err != nil {
		return err
	}
	return WriteJSON(w, report)
}

// CheckDestination tests a destination, for the page.
func (h *Handlers) CheckDestination(ctx context.Context, v *live.View, id string) (*adminapi.CheckReport, error) {
	if v == nil {
		return nil, refusal.ErrUnready
	}
	return h.examine(ctx, v, adminapi.CheckRequest{ID: id})
}

func (h *Handlers) examine(ctx context.Context, v *live.View, req adminapi.CheckRequest) (*adminapi.CheckReport, error) {
	d, err := examine.Wanted(v.Snapshot, h.opts.Load, req)
	switch {
	case errors.Is(err, examine.ErrUnknownDestination):
		return nil, fmt.Errorf("%w: %w", refusal.ErrNotFound, err)
	case err != nil:
		return &adminapi.CheckReport{ID: req.ID, Error: adminapi.NotAccessible, Reason: err.Error()}, nil //nolint:nilerr // the report says it
	}
	limits := v.Snapshot.Limits[d.ID]
	return examine.Run(ctx, d, &limits, h.state.Open(), req), nil
}

// obscure answers with the values in obscured form.
func (*Handlers) obscure(w *observe.Response, r *http.Request, _ *live.View) error {
	var req adminapi.ObscureRequest
	if err := ReadJSON(r, &req); err != nil {
		return err
	}
	reply, err := Obscure(req)
	if err != nil {
		return fmt.Errorf("%w: %w", fs.ErrInvalid, err)
	}
	return WriteJSON(w, reply)
}

// Obscure returns the values of a section with passwords obscured as rclone does. Its error
// quotes no value.
func Obscure(req adminapi.ObscureRequest) (adminapi.ObscureReply, error) {
	values, err := backend.Obscure(req.Type, req.Values)
	return adminapi.ObscureReply{Values: values}, err
}

// space answers with the space of all destinations.
func (*Handlers) space(w *observe.Response, r *http.Request, v *live.View) error {
	return WriteJSON(w, adminapi.SpaceReply{Destinations: v.Space(r.Context())})
}
