// Package points are the commands that show what can be restored: repository list, and
// snapshot list, show, ls, find and diff. They change nothing.
package points
