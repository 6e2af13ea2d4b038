// Package ns8action implements the form of NethServer 8's actions: JSON on stdin, named
// errors on stdout, and exit statuses that differ by action. A command that is also an
// action has one implementation, and reports faults to either caller.
//
// It contains no action.
package ns8action
