// Package setup takes a machine with nothing to a running gateway with a first backup: a
// Redis of its own, a node, the gateway, a destination, modules, a schedule, the backup,
// and a restore that proves it.
//
// Each step runs the very command that it shows, of this program or of the system, so that
// people can see, repeat and undo what was done. A step whose result is there already does
// nothing.
package setup
