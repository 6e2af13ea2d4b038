// Package restore implements restore-module: the request, the plan, the restore of the data
// and the module's steps.
package restore
