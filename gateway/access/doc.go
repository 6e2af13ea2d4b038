// Package access decides who may do what: by the caller's address, by credentials of Redis
// users, and by one table of permissions. If a refusal may be outdated, it asks Redis
// again.
//
// It reads no URL, opens no store and sends no response. It gets what a request asks for,
// and returns an [Admission] or an error of package refusal.
package access
