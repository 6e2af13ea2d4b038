package observe

import (
	"context"
	"errors"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// status returns the HTTP status for an error of a handler.
func status(ctx context.Context, err error) int {
	if err == nil {
		return http.StatusOK
	}
	// net/http also ends the context of a request whose body cannot be read. A client that
	// stalls, or only closed its sending direction, gets the reason.
	upload := errors.Is(err, refusal.ErrStalled) || errors.Is(err, storage.ErrShort)
	if ctx.Err() != nil && !upload {
		return refusal.StatusClientGone
	}
	return refusal.Status(err)
}

// hint returns the advice for a request that ended with err.
func hint(code int, err error) string {
	if code == refusal.StatusClientGone {
		return "the client left before the answer was complete: its own log says why"
	}
	return refusal.Hint(err)
}
