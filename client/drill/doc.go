// Package drill is the command drill, which proves that a backup can be restored: it
// restores a snapshot into a throw-away place, compares a sample with the source, has the
// module verify it, and removes it.
package drill
