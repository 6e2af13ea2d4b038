// Package drill implements the command drill, which proves that a backup can be restored:
// it restores a snapshot into a temporary directory, compares a sample with the source,
// lets the module verify it, and removes it.
package drill
