// Package wrapper implements restic-wrapper, which runs restic on a module's repository and
// passes on every argument that is not its own, and forget.
package wrapper
