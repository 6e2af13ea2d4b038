// Package exit holds the exit statuses of gatewayctl and the errors that lead to them.
// It imports nothing of the client, so that every room can say how it ends.
package exit
