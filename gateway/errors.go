package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Refusals of the gateway itself. Those of the protocol are in package rest.
var (
	errUnauthenticated = errors.New("not authenticated")
	errForbidden       = errors.New("outside the user's scope")
	errAddress         = errors.New("caller's address is not allowed")
	errNotFound        = errors.New("no such destination or path")
	errWebDAV          = errors.New("WebDAV is not served")
	errUnready         = errors.New("the state of Redis is not known")
	errStalled         = errors.New("the client stood still")
)

// Why a caller is not authenticated is for the log and the metrics: the answer is
// the same, so that nobody learns which users there are.
var (
	errNoCredentials = fmt.Errorf("%w: no credentials", errUnauthenticated)
	errUnknownUser   = fmt.Errorf("%w: unknown user", errUnauthenticated)
	errWrongPassword = fmt.Errorf("%w: wrong password", errUnauthenticated)
)

// statusClientGone is what the log says of a request whose client went away.
const statusClientGone = 499

// statuses turns an error into an HTTP status: the first row whose error is in
// the chain wins. What a status does to a running backup is in the protocol's
// contract: 401, 403, 404, 416 and 507 end it, so none of them may stand for
// something that passes.
var statuses = []struct {
	err    error
	status int
}{
	{errUnauthenticated, http.StatusUnauthorized},
	{errForbidden, http.StatusForbidden},
	{errAddress, http.StatusForbidden},
	{rest.ErrForbidden, http.StatusForbidden},
	{errNotFound, http.StatusNotFound},
	{rest.ErrMethod, http.StatusMethodNotAllowed},
	{errStalled, http.StatusRequestTimeout},
	{rest.ErrLength, http.StatusLengthRequired},
	{storage.ErrCorrupt, http.StatusBadRequest},
	{storage.ErrShort, http.StatusBadRequest},
	{fs.ErrInvalid, http.StatusBadRequest},
	{storage.ErrRange, http.StatusRequestedRangeNotSatisfiable},
	{errWebDAV, http.StatusNotImplemented},
	{syscall.ENOSPC, http.StatusInsufficientStorage},
	{syscall.EDQUOT, http.StatusInsufficientStorage},
	{errDefect, http.StatusInternalServerError},
	{errUnready, http.StatusServiceUnavailable},
	{storage.ErrUnavailable, http.StatusServiceUnavailable},
	{fs.ErrNotExist, http.StatusNotFound},
}

// status returns the HTTP status for what serve returned. An error that nothing
// classifies is the remote's fault: 502, never 404.
func status(ctx context.Context, err error) int {
	if err == nil {
		return http.StatusOK
	}
	// net/http ends the context, too, of a request whose body cannot be read on. A
	// client that stands still, or has closed but its own direction, hears why.
	upload := errors.Is(err, errStalled) || errors.Is(err, storage.ErrShort)
	if ctx.Err() != nil && !upload {
		return statusClientGone
	}
	for _, row := range statuses {
		if errors.Is(err, row.err) {
			return row.status
		}
	}
	return http.StatusBadGateway
}
