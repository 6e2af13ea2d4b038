package gateway

import (
	"context"
	"fmt"
	"io"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// typeLocal is the rclone type of destinations that are directories.
const typeLocal = "local"

// openWith returns the opener of all destinations: directories of this host are
// the gateway's own work, because rclone's local backend neither publishes
// atomically nor syncs; everything else is rclone's.
// Kept has the latest tokens, and is told of newer ones.
func openWith(mark local.Mark, kept *tokens) opener {
	return func(ctx context.Context, d *catalog.Destination) (storage.Store, io.Closer, error) {
		if d.PeerNode != "" {
			return nil, nil, fmt.Errorf("%w: it is on the disk of node %s", storage.ErrUnavailable, d.PeerNode)
		}
		if d.Type == typeLocal {
			mark := mark
			mark.ID = d.ID
			s, err := local.OpenMarked(d.Base, mark)
			return s, nil, err
		}
		s, err := remote.Open(ctx, d.ID, kept.latest(d).Section, d.Base, remote.Options{Changed: kept.changed(d)})
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
		}
		return s, s, nil
	}
}
