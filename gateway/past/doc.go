// Package past serves past states of repositories. It also stores locks of clients that
// cannot write to a repository.
//
// [View] is a read-only [storage.Store] with one past state of a repository. Since restic
// also locks repositories that it only reads, [Locks] holds the locks of one client for one
// repository in memory, invisible to others, and [Overlay] adds them to a store.
package past
