package storetest

import (
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/conformance"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Repo is the repository in which [Run] works. A server under test must let the
// user of [HTTP] do everything with it; that of a node may.
const Repo = conformance.Repo

// Option names a documented difference between a Store and the contract.
type Option = conformance.Option

// The options, as package suite describes them.
var (
	WithoutDirectories = conformance.WithoutDirectories
	BlindRemove        = conformance.BlindRemove
	OverHTTP           = conformance.OverHTTP
	FewObjects         = conformance.FewObjects
	SeenReplacing      = conformance.SeenReplacing
)

// Run holds a Store to the contract of [storage.Store]. NewStore is called once for
// each subtest and returns an empty store, which it closes by t.Cleanup. All
// objects are such as a restic repository has, in [Repo] and in repositories
// whose paths begin like it; so the same suite runs over HTTP.
func Run(t *testing.T, newStore func(t *testing.T) storage.Store, opts ...Option) {
	conformance.Run(test{t}, func(t conformance.T) storage.Store { return newStore(t.(test).T) }, opts...)
}

// test is a [testing.T] for the suite.
type test struct{ *testing.T }

func (t test) Run(name string, f func(conformance.T)) {
	t.T.Run(name, func(t *testing.T) { f(test{t}) })
}
