// Package storetest holds what tests of a [storage.Store] share: [Run], the
// conformance suite that every Store passes; [Mem], a Store in memory; [HTTP],
// a Store that speaks the restic REST protocol as restic does, so that the same
// suite runs against a whole server; and [Faulty], which makes a Store fail in
// planned ways.
package storetest
