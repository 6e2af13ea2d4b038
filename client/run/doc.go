// Package run holds what backups, restores and restic-wrapper share: running restic and
// explaining its failures, asking the gateway about a repository, progress, waiting, and
// the record of a run. It does not import these commands.
package run
