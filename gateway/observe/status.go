package observe

import (
	"context"
	"errors"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// status returns the HTTP status for what a handler returned.
func status(ctx context.Context, err error) int {
	if err == nil {
		return http.StatusOK
	}
	// net/http ends the context, too, of a request whose body cannot be read on. A
	// client that stalls, or has closed but its own direction, hears why.
	upload := errors.Is(err, refusal.ErrStalled) || errors.Is(err, storage.ErrShort)
	if ctx.Err() != nil && !upload {
		return refusal.StatusClientGone
	}
	return refusal.Status(err)
}

// hint returns what to do about a request that ended with err.
func hint(code int, err error) string {
	if code == refusal.StatusClientGone {
		return "the client left before the answer was complete: its own log says why"
	}
	return refusal.Hint(err)
}
