// Package coverage finds the modules that a schedule names and whose repository holds
// no snapshot: whose backups never ran, or never got to their end, whatever the reason.
// It asks the storage, since what did not run tells nothing.
//
// It opens no store of its own, serves no request and writes nothing.
package coverage
