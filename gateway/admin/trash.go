package admin

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// trashList answers with the selected objects of a destination's trash.
func (*Handlers) trashList(w *observe.Response, r *http.Request, v *live.View) error {
	return withTrash(w, r, v, func(ctx context.Context, kept *trash.Store, req adminapi.TrashRequest) (any, error) {
		reply := adminapi.TrashReply{Objects: []adminapi.Deleted{}}
		err := eachDeleted(ctx, kept, req, func(e ledger.Entry) error {
			reply.Objects = append(reply.Objects, adminapi.Deleted{
				Repository: e.Repo, Kind: e.Kind, Name: e.Name, Size: e.Size,
				Received: e.Received, Deleted: e.Deleted, Expires: e.Expires,
			})
			return nil
		})
		return reply, err
	})
}

// trashRestore restores the selected objects.
func (*Handlers) trashRestore(w *observe.Response, r *http.Request, v *live.View) error {
	return withTrash(w, r, v, func(ctx context.Context, kept *trash.Store, req adminapi.TrashRequest) (any, error) {
		return restoreChosen(ctx, kept, req)
	})
}

func restoreChosen(ctx context.Context, kept *trash.Store, req adminapi.TrashRequest) (adminapi.TrashDone, error) {
	var chosen []ledger.Entry
	err := eachDeleted(ctx, kept, req, func(e ledger.Entry) error {
		chosen = append(chosen, e)
		return nil
	})
	if err != nil {
		return adminapi.TrashDone{}, err
	}
	done, err := kept.RestoreAll(ctx, chosen)
	return adminapi.TrashDone{Objects: done.Objects, Bytes: done.Bytes, Skipped: int64(len(chosen)) - done.Objects}, err
}

// RestoreTrash restores the selected objects, for the page.
func (*Handlers) RestoreTrash(ctx context.Context, v *live.View, req adminapi.TrashRequest) (adminapi.TrashDone, error) {
	if !isRepository(req.Repository) {
		return adminapi.TrashDone{}, fmt.Errorf("repository %.128q: %w", req.Repository, fs.ErrInvalid)
	}
	kept, release, err := acquireTrash(ctx, v, req.Destination)
	if err != nil {
		return adminapi.TrashDone{}, err
	}
	defer release()
	return restoreChosen(ctx, kept, req)
}

// trashEmpty purges the selected objects.
func (*Handlers) trashEmpty(w *observe.Response, r *http.Request, v *live.View) error {
	return withTrash(w, r, v, func(ctx context.Context, kept *trash.Store, req adminapi.TrashRequest) (any, error) {
		done, err := kept.Empty(ctx, req.Repository, func(e *ledger.Entry) bool { return isChosen(e, req) })
		return adminapi.TrashDone{Objects: done.Objects, Bytes: done.Bytes}, err
	})
}

// withTrash decodes a request, and calls do with the trash of its destination.
func withTrash(w *observe.Response, r *http.Request, v *live.View, answer func(context.Context, *trash.Store, adminapi.TrashRequest) (any, error)) error {
	var req adminapi.TrashRequest
	if err := ReadJSON(r, &req); err != nil {
		return err
	}
	w.Entry.Destination, w.Entry.Repo = req.Destination, req.Repository
	if req.Repository != "" && !isRepository(req.Repository) {
		return fmt.Errorf("repository %.128q: %w", req.Repository, fs.ErrInvalid)
	}
	kept, release, err := acquireTrash(r.Context(), v, req.Destination)
	if err != nil {
		return err
	}
	defer release()
	reply, err := answer(r.Context(), kept, req)
	if err != nil {
		return err
	}
	return WriteJSON(w, reply)
}

// acquireTrash returns the trash of a destination, to use until release is called.
func acquireTrash(ctx context.Context, v *live.View, destination string) (kept *trash.Store, release func(), err error) {
	if v == nil {
		return nil, nil, refusal.ErrUnready
	}
	mount := v.Mounts[destination]
	if mount == nil {
		return nil, nil, fmt.Errorf("%w: destination %.64q", refusal.ErrNotFound, destination)
	}
	kept, err = mount.AcquireTrash(ctx)
	if err != nil {
		return nil, nil, err
	}
	if kept == nil {
		mount.Release()
		return nil, nil, fmt.Errorf("%w: nothing is kept here", storage.ErrUnavailable)
	}
	return kept, mount.Release, nil
}

// isRepository reports whether a text is the path of a repository: APP/UUID.
func isRepository(text string) bool {
	return fs.ValidPath(text) && strings.Count(text, "/") == 1
}

// eachDeleted calls fn for the selected objects, repository by repository.
func eachDeleted(ctx context.Context, kept *trash.Store, req adminapi.TrashRequest, fn func(ledger.Entry) error) error {
	repos := []string{req.Repository}
	if req.Repository == "" {
		var err error
		if repos, err = kept.Repos(ctx); err != nil {
			return err
		}
	}
	for _, repo := range repos {
		entries, err := kept.Entries(ctx, repo)
		if err != nil {
			return err
		}
		for i := range entries {
			if !isChosen(&entries[i], req) {
				continue
			}
			if err := fn(entries[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// isChosen reports whether a request selects an entry.
func isChosen(e *ledger.Entry, req adminapi.TrashRequest) bool {
	return (req.Repository == "" || e.Repo == req.Repository) &&
		(len(req.Kinds) == 0 || slices.Contains(req.Kinds, e.Kind)) &&
		strings.HasPrefix(e.Name, req.Name) &&
		(len(req.Names) == 0 || slices.Contains(req.Names, e.Name)) &&
		!e.Deleted.Before(req.Since) &&
		(req.Before.IsZero() || e.Deleted.Before(req.Before))
}
