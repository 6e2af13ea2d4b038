package gateway

import (
	"context"
	"fmt"
	"io"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
)

// typeLocal is the rclone type of destinations that are directories.
const typeLocal = "local"

// openStore opens a destination: directories of this host are the gateway's own
// work, because rclone's local backend neither publishes atomically nor syncs;
// everything else is rclone's.
func openStore(ctx context.Context, d *catalog.Destination) (rest.Store, io.Closer, error) {
	if d.PeerNode != "" {
		return nil, nil, fmt.Errorf("%w: it is on the disk of node %s", rest.ErrUnavailable, d.PeerNode)
	}
	if d.Type == typeLocal {
		s, err := local.Open(d.Base)
		if err != nil {
			// A directory that is not there is a disk that is not mounted, and no
			// proof that what was in it never existed.
			return nil, nil, fmt.Errorf("%w: %v", rest.ErrUnavailable, err) //nolint:errorlint // must not count as fs.ErrNotExist
		}
		return s, nil, nil
	}
	s, err := remote.Open(ctx, d.ID, d.Section, d.Base, remote.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", rest.ErrUnavailable, err)
	}
	return s, s, nil
}
