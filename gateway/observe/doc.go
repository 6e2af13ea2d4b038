// Package observe is the only middleware. It gives each request an id, a line in the access
// log, metrics and, if it is audited, an entry in the audit log. It turns an error into a
// status, by the table of package refusal.
//
// It does not know what a request is for: the handler fills in its [Entry]. It
// authenticates nobody and opens no store.
package observe
