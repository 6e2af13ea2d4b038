// Package wire watches the gateway's connections: responses whose deadlines move with their
// progress, connections before their first request, and the owners of processes on the
// other end of a unix socket. It does not know requests, callers or stores.
package wire
