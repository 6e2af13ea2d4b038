package catalog

import "time"

const (
	// DefaultKeepDeleted is how long deleted objects are kept where nothing else is set.
	DefaultKeepDeleted = 7 * 24 * time.Hour
	// KeepNothing is the value of KeepDeleted that keeps nothing.
	KeepNothing = -1
)

// Keep is how long what is deleted is kept; zero is not at all.
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
