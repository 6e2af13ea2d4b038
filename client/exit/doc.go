// Package exit holds the exit statuses of gatewayctl and the errors that carry them. It
// imports no other package of the client, so that each can use it.
package exit
