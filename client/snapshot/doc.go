// Package snapshot reads the snapshots of a repository and their trees, and keeps what it
// has read: a snapshot never changes, and restic needs a second for each question. It
// prints nothing.
//
// What is kept holds names, sizes and times of files in clear, no content and no password,
// and is for its owner alone.
package snapshot
