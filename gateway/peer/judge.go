package peer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// judge decides whether a response is passed on. A refusal of a request that this node
// admits is not final: the peer's replica of Redis may lag, and restic gives up for good at
// 401, 403 and 404.
func (l *Link) judge(ctx context.Context, r *http.Request, resp *http.Response, job *Job) error {
	code := resp.StatusCode
	proven := resp.Header.Get(HeaderProven) != ""
	switch {
	case code == http.StatusNotModified, code >= 200 && code < 300:
		return nil
	case code < 400:
		return fmt.Errorf("%w: node %s answers %d, as no gateway does", refusal.ErrPeerAnswer, l.Node, code)
	case code == http.StatusLoopDetected:
		return fmt.Errorf("%w: node %s says so", refusal.ErrLoop, l.Node)
	case code == http.StatusInsufficientStorage:
		return nil
	case code >= 500 && code != http.StatusNotImplemented:
		return fmt.Errorf("%w: node %s answers %d (its request %.40q)", refusal.ErrPeerAnswer, l.Node, code, resp.Header.Get("X-Request-Id"))
	case code == http.StatusUnauthorized, code == http.StatusForbidden && !proven:
		return l.refused(ctx, code, job)
	case code == http.StatusNotFound && !proven:
		return l.missing(ctx, r, job)
	}
	return nil
}

// refused returns the error for a peer that refuses a caller whom this node accepts.
func (l *Link) refused(ctx context.Context, code int, job *Job) error {
	if err := job.Recheck(ctx); err != nil {
		return err
	}
	return fmt.Errorf("%w: node %s answers %d", refusal.ErrPeerRefuses, l.Node, code)
}

// missing returns the error for a 404 of a peer that is not proof by itself. The object is
// absent only if the peer lists its directory without it; a config exists if there are
// keys.
func (l *Link) missing(ctx context.Context, r *http.Request, job *Job) error {
	if l.ours.Load() {
		return l.refused(ctx, http.StatusNotFound, job)
	}
	if !job.Restic {
		return l.hides(ctx, r, job)
	}
	dir, name := job.Type, job.Name
	if job.Type == object.Config {
		dir, name = object.Keys, ""
	} else if name == "" {
		return fmt.Errorf("%w: node %s answers 404 to a list", refusal.ErrPeerAnswer, l.Node)
	}
	there, err := l.lists(ctx, r, job, dir, name)
	switch {
	case err != nil:
		return fmt.Errorf("%w: node %s answers 404, and its list proves nothing: %w", refusal.ErrPeerAnswer, l.Node, err)
	case there:
		return fmt.Errorf("%w: node %s answers 404 for what it lists", refusal.ErrPeerAnswer, l.Node)
	}
	return fmt.Errorf("node %s: %w", l.Node, fs.ErrNotExist)
}

// lists reports whether a directory of a repository contains that object, or any object if
// name is empty.
func (l *Link) lists(ctx context.Context, r *http.Request, job *Job, dir object.Type, name string) (bool, error) {
	resp, err := l.question(ctx, r, http.MethodGet, job.Destination+"/"+job.Repo+"/"+dir.String()+"/")
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), rest.MediaTypeV2) {
		return false, fmt.Errorf("%w: it answers %d", storage.ErrUnavailable, resp.StatusCode)
	}
	return holds(resp.Body, name)
}

// holds reads a list completely: an incomplete one proves nothing.
func holds(list io.Reader, name string) (found bool, err error) {
	decoder := json.NewDecoder(list)
	if _, err := decoder.Token(); err != nil {
		return false, err
	}
	for decoder.More() {
		var entry struct {
			Name string `json:"name"`
		}
		if err := decoder.Decode(&entry); err != nil {
			return false, err
		}
		found = found || name == "" || entry.Name == name
	}
	if _, err := decoder.Token(); err != nil {
		return false, err
	}
	return found, nil
}
