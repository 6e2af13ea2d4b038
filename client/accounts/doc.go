// Package accounts holds the administrator's commands for nodes, modules and their users,
// on a Redis that NethServer 8 does not manage.
package accounts
