// Package admin answers what administrators' commands ask of the gateway itself: the
// test of a destination, the space of all of them, and what is to be done with the
// trash. Bodies hold secrets: no part of one is logged, or answered.
//
// Who may ask is decided before: each handler gets the view in which its caller was
// admitted. It knows no URL but those of package adminapi.
package admin
