// Package keys moves keys of Redis to files and back: redis-dump, redis-restore, and
// the dumps that a backup takes of a module's own keys.
package keys
