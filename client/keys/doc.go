// Package keys copies Redis keys to files and back: redis-dump, redis-restore, and the
// dumps of a module's own keys in a backup.
package keys
