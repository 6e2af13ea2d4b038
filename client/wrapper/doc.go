// Package wrapper is restic-wrapper: restic on a module's repository, with every
// argument that is not ours passed on.
package wrapper
