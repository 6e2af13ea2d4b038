// Package admin answers administrators' commands: tests of destinations, their space, the
// trash, freezing, history and rollback of repositories. Request bodies contain secrets, so
// no part of one is logged or returned.
//
// Callers are admitted before; each handler gets the view in which its caller was admitted.
// The package knows no URL except those of package adminapi.
package admin
