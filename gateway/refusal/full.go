package refusal

import (
	"errors"
	"fmt"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// FullError is the error of a full storage or quota while the trash holds something.
type FullError struct {
	Err         error
	Destination string
	Trash       int64 // in bytes
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%v; the trash holds %d bytes of it: on the gateway's host, gatewayctl trash empty --destination %s frees them", e.Err, e.Trash, e.Destination)
}

func (e *FullError) Unwrap() error { return e.Err }

// Notice returns additional text for the client, "" for most errors.
func Notice(err error) string {
	if horizon, ok := errors.AsType[*storage.HorizonError](err); ok {
		return "the earliest time is " + horizon.Earliest.UTC().Format(time.RFC3339) + "\n"
	}
	full, ok := errors.AsType[*FullError](err)
	if !ok {
		return ""
	}
	return fmt.Sprintf("the trash holds %d bytes: on the gateway's host, gatewayctl trash empty --destination %s frees them\n", full.Trash, full.Destination)
}
