// Package footprint keeps small what a program that is idle holds of the
// machine's memory.
package footprint

import "runtime/debug"

// Trim gives back what only the start of a program needed: its garbage, and the
// pages of the program's own file that were read on the way. With hundreds of
// packages to initialise those are most of what it holds. What is needed again
// comes back by itself, page by page, from the page cache.
func Trim() error {
	debug.FreeOSMemory()
	return dropProgram()
}
