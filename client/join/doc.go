// Package join makes a host without Redis one that a module can be backed up from: it takes
// the module's settings out of the file that an administrator carries over, or from the
// gateway for a pairing code, and puts everything into its place.
package join
