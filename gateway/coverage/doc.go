// Package coverage finds the scheduled modules without a snapshot in their repository:
// backups that never ran or never completed, for whatever reason. It asks the storage,
// since a backup that did not run leaves no trace elsewhere.
//
// It opens no store of its own, serves no request and writes nothing.
package coverage
