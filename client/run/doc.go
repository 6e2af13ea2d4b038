// Package run is what backups, restores and restic-wrapper share: how restic is called
// and its failures are explained, what the gateway says of a repository, progress,
// waiting, and the record of a run. It knows none of those commands.
package run
