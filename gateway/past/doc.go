// Package past serves repositories as they stood at a time, and gives clients of what
// cannot be written a place for their locks.
//
// [View] is a [storage.Store] that has one such repository and takes no change. restic
// locks what it only reads, too: [Locks] holds the locks of one client at one repository
// in memory, seen by nobody else, and [Overlay] puts them over a store.
package past
