// Package accounts holds the administrator's commands for nodes, modules and schedules
// of a Redis of one's own.
package accounts
