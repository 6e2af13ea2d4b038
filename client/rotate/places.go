package rotate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rclone-gateway/rclone-gateway/client/inventory"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/ownpassword"
)

// place is the location of a repository: APP/UUID on a destination.
type place struct{ destination, path string }

// questions bounds concurrent requests to the gateway.
const questions = 16

// places returns the repositories that use the password.
func (r *rotation) places(ctx context.Context) ([]place, error) {
	find := r.ofModule
	if r.store.subject.destination != "" {
		find = r.ofDestination
	}
	found, err := find(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the repositories: %w", err)
	}
	return found, nil
}

// ofDestination returns the destination's repositories, except those of modules with a
// password of their own.
func (r *rotation) ofDestination(ctx context.Context) ([]place, error) {
	destination := r.store.subject.destination
	own, err := ownpassword.All(ctx, r.store.Redis)
	if err != nil {
		return nil, err
	}
	holding, err := r.gateway.Survey(ctx, destination, inventory.NewLimit(questions))
	if err != nil {
		return nil, err
	}
	var found []place
	r.apart = nil
	for _, repository := range holding.Repositories {
		if _, apart := own[repository.UUID]; apart {
			r.apart = append(r.apart, repository.Path())
			continue
		}
		found = append(found, place{destination, repository.Path()})
	}
	return found, nil
}

// ofModule returns the module's repositories on all destinations.
func (r *rotation) ofModule(ctx context.Context) ([]place, error) {
	destinations, err := names.DestinationEntries(ctx, r.store.Redis)
	if err != nil {
		return nil, err
	}
	var found []place
	for _, d := range destinations {
		apps, err := r.list(ctx, d.ID)
		if err != nil {
			return nil, fmt.Errorf("destination %s: %w", d.ID, err)
		}
		for _, app := range apps {
			path := app.Name + "/" + r.store.subject.uuid
			keys, err := r.list(ctx, d.ID+"/"+path+"/keys")
			if err != nil {
				return nil, fmt.Errorf("destination %s: %w", d.ID, err)
			}
			if len(keys) > 0 {
				found = append(found, place{d.ID, path})
			}
		}
	}
	return found, nil
}

// list returns the entries of a directory, none if it does not exist.
func (r *rotation) list(ctx context.Context, dir string) ([]inventory.Entry, error) {
	entries, err := r.gateway.List(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}
