// Package retention decides which snapshots of a repository go. It counts as restic's
// forget does, with times that nobody but the gateway could choose, and leaves what
// looks wrong out of the count: such a snapshot neither goes nor makes another go.
//
// It is pure: who calls it knows the snapshots and removes them.
package retention
