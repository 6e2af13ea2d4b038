// Package retention decides which snapshots of a repository to remove. It applies the rules
// of restic forget, but to times that only the gateway sets. Suspicious snapshots are held:
// they are not removed, and do not count, so that they push out no other snapshot. The
// package does no I/O.
package retention
