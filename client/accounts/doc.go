// Package accounts holds the administrator's commands for nodes, modules and their
// users of a Redis of one's own.
package accounts
