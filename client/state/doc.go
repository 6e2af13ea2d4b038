// Package state is about what a module has on disk: its hooks, its include and exclude
// patterns and its volumes. It starts no restic and reads no Redis.
package state
