package storetest

import (
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest/suite"
)

// Repo is the repository in which [Run] works. A server under test must let the
// user of [HTTP] do everything with it; that of a node may.
const Repo = suite.Repo

// Option names a documented difference between a Store and the contract.
type Option = suite.Option

// WithoutDirectories is for stores, such as buckets, whose List of an absent
// directory may be empty instead of [fs.ErrNotExist].
func WithoutDirectories() Option { return suite.WithoutDirectories() }

// BlindRemove is for stores, such as S3, that delete without being told whether
// there was anything: to remove what is absent may succeed.
func BlindRemove() Option { return suite.BlindRemove() }

// OverHTTP is for [HTTP]: only names of the restic protocol exist, so that odd
// directories and lists above a type are left out; a config is not replaced by
// other content; removing what is absent succeeds; and the causes of errors
// stay with the server.
func OverHTTP() Option { return suite.OverHTTP() }

// FewObjects is for stores, such as FTP, that need a request, or a connection, for
// each directory of a list: the test that lists a lot, at once, makes do with less.
func FewObjects() Option { return suite.FewObjects() }

// SeenReplacing is for stores on servers, such as "rclone serve s3", that replace an
// object in steps which others may see: it may be away, or listed twice, meanwhile.
func SeenReplacing() Option { return suite.SeenReplacing() }

// Run holds a Store to the contract of [rest.Store]. NewStore is called once for
// each subtest and returns an empty store, which it closes by t.Cleanup. All
// objects are such as a restic repository has, in [Repo] and in repositories
// whose paths begin like it; so the same suite runs over HTTP.
func Run(t *testing.T, newStore func(t *testing.T) rest.Store, opts ...Option) {
	suite.Run(test{t}, func(t suite.T) rest.Store { return newStore(t.(test).T) }, opts...)
}

// test is a [testing.T] for the suite.
type test struct{ *testing.T }

func (t test) Run(name string, f func(suite.T)) {
	t.T.Run(name, func(t *testing.T) { f(test{t}) })
}
