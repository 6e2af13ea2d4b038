// Package ns8action is the form of NethServer 8's actions: JSON on stdin, named errors on
// stdout, and exit statuses that each action has of its own. A command that is an action
// too has one way through it, and tells faults to either.
//
// It knows no action.
package ns8action
