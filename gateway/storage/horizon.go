package storage

import (
	"errors"
	"fmt"
	"time"
)

// ErrHorizon says that the past state of a repository is not available, since something
// that it may need was purged or vanished.
var ErrHorizon = errors.New("something that was there then was purged")

// ErrFuture says that a time is not in the past yet.
var ErrFuture = errors.New("that time is not over yet")

// HorizonError is an [ErrHorizon] with the earliest available time.
type HorizonError struct{ Earliest time.Time }

func (e *HorizonError) Error() string {
	return fmt.Sprintf("%v: the earliest time is %s", ErrHorizon, e.Earliest.UTC().Format(time.RFC3339))
}

func (e *HorizonError) Unwrap() error { return ErrHorizon }
