// Package snapshot reads the snapshots of a repository and their trees. It caches them,
// since snapshots never change and each call of restic takes a second. It prints nothing.
//
// The cache contains names, sizes and times of files in clear text, but no content and no
// password. Only its owner can read it.
package snapshot
