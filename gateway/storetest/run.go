package storetest

import (
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/conformance"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Repo is the repository in which [Run] works. The user of [HTTP] needs all permissions for
// it, such as those of a node.
const Repo = conformance.Repo

// Option names a documented difference between a Store and the contract.
type Option = conformance.Option

// The options of package conformance.
var (
	WithoutDirectories = conformance.WithoutDirectories
	BlindRemove        = conformance.BlindRemove
	OverHTTP           = conformance.OverHTTP
	FewObjects         = conformance.FewObjects
	SeenReplacing      = conformance.SeenReplacing
)

// Run checks a Store against the contract of [storage.Store]. newStore is called once for
// each subtest and returns an empty store, which it closes with t.Cleanup. All objects are
// possible in a restic repository, in [Repo] or a repository with the same prefix; so the
// same suite runs over HTTP.
func Run(t *testing.T, newStore func(t *testing.T) storage.Store, opts ...Option) {
	conformance.Run(test{t}, func(t conformance.T) storage.Store { return newStore(t.(test).T) }, opts...)
}

// test is a [testing.T] for the suite.
type test struct{ *testing.T }

func (t test) Run(name string, f func(conformance.T)) {
	t.T.Run(name, func(t *testing.T) { f(test{t}) })
}
