// Package gateway is the backup gateway: it authenticates NethServer 8 modules
// and nodes against Redis ACL users, confines each to its repositories and
// serves the restic REST protocol from local directories and rclone remotes. This
// room is a request's way, and the wiring; what a request needs on its way lies in
// rooms of its own, none of which imports this one.
//
// The life of a request:
//
//  1. A listener hands the connection to http.Server, which has a header and an
//     idle timeout but no total one: backups stream for hours.
//  2. Package observe wraps every request: id, deadlines on progress (package wire),
//     access log, and the one place where an error becomes a status, by the table of
//     package refusal.
//  3. routes sends the gateway's own paths to their handlers, administrators' to package
//     admin, and all else to serve.
//  4. serve parses the URL once (request.go decides the operation; package rest/object
//     knows the names of objects). Package access judges the caller's address and
//     admits the request against one view: who are you, may you do this, does the
//     destination exist. A miss that may be news asks Redis once more.
//  5. What lies on another node's disk, or only another node reaches, is passed on to
//     it over one hop, by package peer; nothing of the body was read before.
//  6. The view's mount (package live) opens the destination at its first use, as a
//     local or a remote store, and keeps it open until the destination changes.
//     Package guard stands between it and the request: quotas, limits and, before
//     remotes, retries and a circuit breaker.
//  7. Package rest answers restic's protocol from that store, and package dav all
//     else as WebDAV.
//
// Glossary: a destination is a place for backups; a repository is one module's
// restic repository in it, named "<app type>/<module UUID>"; a principal is a
// Redis user that may use the gateway; a grant lets a module read the repository
// it is restored from; a view is one immutable state of all of these; a mount is a
// destination's place in it.
package gateway
