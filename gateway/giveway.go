package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// giveWay purges the oldest objects of the trash if an upload found the storage full and
// the destination allows that. The client's body is gone, so the client is asked to send it
// again.
func (g *Gateway) giveWay(r *http.Request, mount *live.Mount, w *observe.Response, err error) error {
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	if !full || errors.Is(err, refusal.ErrQuota) {
		return err
	}
	done, failed := mount.GiveWay(r.Context(), max(0, r.ContentLength))
	if failed != nil {
		g.opts.Log.Warn("the trash of a full destination cannot give way", "dest", mount.Destination.ID, "err", failed, "hint", refusal.Hint(failed))
	}
	if done.Bytes == 0 {
		return err
	}
	g.opts.Log.Warn("a destination is full: purged what was deleted first, before it expired",
		"dest", mount.Destination.ID, "count", done.Objects, "bytes", done.Bytes,
		"hint", "the storage needs more space, or fewer backups; destination alter --trash-gives-way no keeps all that is deleted")
	if g.opts.Audit != nil {
		g.opts.Audit.Write(audit.Event{
			What: "give way", Who: "rclone-gateway", Destination: mount.Destination.ID, Request: w.ID(), Result: "ok",
			Count: int(done.Objects), Detail: fmt.Sprintf("the storage was full: %d bytes were purged before they expired", done.Bytes),
		})
	}
	return fmt.Errorf("%w: the storage was full, and %d bytes of the trash gave way: %s", storage.ErrUnavailable, done.Bytes, err.Error())
}
