package refusal

import (
	"fmt"
	"strconv"
	"time"
)

// WaitError says that a caller was refused too often, and how long to wait.
type WaitError struct{ Wait time.Duration }

func (e *WaitError) Error() string { return fmt.Sprintf("%v: wait %v", ErrAttempts, e.Wait) }
func (e *WaitError) Unwrap() error { return ErrAttempts }

// Seconds returns the value of the header Retry-After.
func (e *WaitError) Seconds() string { return strconv.Itoa(int(e.Wait.Seconds()) + 1) }
