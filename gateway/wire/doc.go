// Package wire watches the gateway's connections: a response whose deadlines move with
// the bytes, connections whose first request has not come yet, and whose process is at
// the other end of a unix socket. It does not know requests, callers or stores.
package wire
