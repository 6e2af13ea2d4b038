//go:build unix

package footprint

import (
	"syscall"
	"time"
)

// used is the time that this process has been on processors.
func used() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0 // it counts as idle
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
