// Package state knows a module's files: its hooks, its include and exclude patterns and its
// volumes. It runs no restic and reads no Redis.
package state
