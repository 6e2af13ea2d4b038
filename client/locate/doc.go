// Package locate finds the repository that a command line selects, and prepares the restic
// invocation for it. It runs nothing.
package locate
