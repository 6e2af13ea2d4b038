// Package setup takes an empty machine to a running gateway with a first backup: it sets up
// Redis, a node, the gateway, a destination, modules and a schedule, makes a backup, and
// proves it with a restore.
//
// Each step runs exactly the command that it prints, of this program or of the system, so
// that people can inspect, repeat and undo it. A step whose result exists does nothing.
package setup
