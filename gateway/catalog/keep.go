package catalog

import "time"

const (
	// DefaultKeepDeleted is how long deleted objects are kept by default.
	DefaultKeepDeleted = 7 * 24 * time.Hour
	// KeepNothing is the value of KeepDeleted for no trash.
	KeepNothing = -1
)

// Keep returns how long deleted objects are kept; zero for no trash.
func (l *Limits) Keep() time.Duration {
	switch l.KeepDeleted {
	case 0:
		return DefaultKeepDeleted
	case KeepNothing:
		return 0
	}
	return time.Duration(min(l.KeepDeleted, maxKeepDeleted)) * time.Second
}

// maxKeepDeleted is a hundred years, in seconds.
const maxKeepDeleted = 100 * 365 * 24 * 3600
