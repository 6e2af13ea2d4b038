// Package access decides who may do what: by the caller's address, by credentials against
// Redis's users, and by one table of permissions. A refusal that may be news is asked
// of Redis once more.
//
// It reads no URL, opens no store and answers nothing: it is told what a request wants
// and returns an [Admission], or an error of package refusal.
package access
