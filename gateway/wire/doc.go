// Package wire watches the gateway's connections: a response whose deadlines move with
// the bytes, and connections whose first request has not come yet. It does not know
// requests, callers or stores.
package wire
