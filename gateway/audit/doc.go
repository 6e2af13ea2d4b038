// Package audit records who did what, in a log that cannot be changed without being
// noticed.
//
// The log is a file of JSON lines. Each line has a number and the SHA-256 of the previous
// line. So a head (number and hash of the last line) that is archived elsewhere proves all
// lines up to it. It is a plain chain rather than a tree of hashes such as
// golang.org/x/mod/sumdb/tlog: verification reads the whole file, so short proofs would
// gain nothing, and sha256sum can check a chain.
//
// A file that reaches its maximum size is renamed, and the chain continues in a new one.
// Several processes may write to one log. If a process is killed while it writes a line,
// the next writer cuts off the partial line and records that.
//
// The package imports nothing else of the gateway. Code that does something auditable calls
// [Log.Write].
package audit
