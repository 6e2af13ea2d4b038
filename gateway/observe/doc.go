// Package observe is the one middleware: each request gets an id, a line in the access
// log, its place in the metrics and, where it belongs there, in the audit log; and an
// error becomes the status that the table of package refusal gives it.
//
// It does not know what a request is for: whoever answers it says so in its [Entry].
// It authenticates nobody and opens no store.
package observe
