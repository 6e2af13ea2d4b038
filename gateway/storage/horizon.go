package storage

import (
	"errors"
	"fmt"
	"time"
)

// ErrHorizon says that a time lies before something was purged, or vanished, that the
// repository as it stood then may need.
var ErrHorizon = errors.New("something that was there then was purged")

// ErrFuture says that a time is not over.
var ErrFuture = errors.New("that time is not over yet")

// HorizonError is an [ErrHorizon] that knows the earliest time that can be had.
type HorizonError struct{ Earliest time.Time }

func (e *HorizonError) Error() string {
	return fmt.Sprintf("%v: the earliest time is %s", ErrHorizon, e.Earliest.UTC().Format(time.RFC3339))
}

func (e *HorizonError) Unwrap() error { return ErrHorizon }
