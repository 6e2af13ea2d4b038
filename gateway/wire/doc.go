// Package wire is what the gateway knows of connections: a response whose deadlines
// move with the bytes, and connections whose first request has not come yet. It does not know
// requests, callers and stores.
package wire
