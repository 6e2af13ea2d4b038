package refusal

import (
	"fmt"
	"strconv"
	"time"
)

// WaitError says that too much was refused to who asks: it is told how long to wait.
type WaitError struct{ Wait time.Duration }

func (e *WaitError) Error() string { return fmt.Sprintf("%v: wait %v", ErrAttempts, e.Wait) }
func (e *WaitError) Unwrap() error { return ErrAttempts }

// Seconds are those of the header Retry-After.
func (e *WaitError) Seconds() string { return strconv.Itoa(int(e.Wait.Seconds()) + 1) }
