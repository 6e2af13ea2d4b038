// Package conformance is the conformance suite that every [storage.Store] passes. It does
// not import package testing, so that a program can hold a store of real life to
// it; tests run it through package storetest.
package conformance
