// Package points holds the read-only commands that show what can be restored: repository
// list, and snapshot list, show, ls, find and diff.
package points
