// Package conformance is the conformance suite for [storage.Store]. It does not import
// package testing, so that a program can run it against real storage; tests run it through
// package storetest.
package conformance
