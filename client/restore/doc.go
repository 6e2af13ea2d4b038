// Package restore is restore-module: its request, its plan, the restore of the data and
// the steps of a module.
package restore
