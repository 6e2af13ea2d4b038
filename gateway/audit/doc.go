// Package audit writes down who did what, so that nobody can change it afterwards
// without being found out.
//
// The log is a file of JSON lines. Each line has a number and the SHA-256 of the line
// before it, so that a head (the number and the hash of the last line) that is kept
// elsewhere proves all lines up to it. It is a plain chain and not a tree of hashes
// such as golang.org/x/mod/sumdb/tlog: whoever verifies reads the whole file, so that
// short proofs would gain nothing, and a plain chain can be checked with sha256sum.
//
// A file that has grown is renamed and another one begun; the chain continues in it.
// Several processes may write to one log. A process that is killed in the middle of a
// line leaves a part of one, which the next writer cuts off and writes down.
//
// It imports nothing of the gateway: whoever does something that others must be able
// to prove calls [Log.Write].
package audit
