package conformance

import (
	"context"
	"errors"
	"io/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Option is a documented difference between a Store and the contract.
type Option func(*env)

// WithoutDirectories is for stores, such as buckets, whose List of an absent directory may
// be empty instead of [fs.ErrNotExist].
func WithoutDirectories() Option { return func(e *env) { e.noDirs = true } }

// BlindRemove is for stores, such as S3, that do not report whether a deleted object
// existed: Remove of an absent object may succeed.
func BlindRemove() Option { return func(e *env) { e.blindRemove = true } }

// OverHTTP is for a store behind the restic protocol. Only the protocol's names exist, so
// there are no other directories and no lists above a type; a config is not replaced by
// another one; Remove of an absent object succeeds; the causes of errors are not visible.
func OverHTTP() Option { return func(e *env) { e.overHTTP = true } }

// FewObjects is for stores, such as FTP, that need many requests for an object, or a
// connection for each directory of a list: tests with many objects use fewer.
func FewObjects() Option { return func(e *env) { e.few = true } }

// SeenReplacing is for servers, such as "rclone serve s3", that replace an object in
// visible steps: meanwhile it may be absent, or listed twice.
func SeenReplacing() Option { return func(e *env) { e.seenReplacing = true } }

// env is the environment of a test of the suite.
type env struct {
	store                                             storage.Store
	noDirs, blindRemove, overHTTP, few, seenReplacing bool
}

// T is what the suite needs of a test: a [testing.T] in tests, a [Recorder] in a program.
type T interface {
	Helper()
	// Context ends with the test.
	Context() context.Context
	Error(args ...any)
	Errorf(format string, args ...any)
	// Fatal, Fatalf and Skip end the test's goroutine.
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Skip(args ...any)
	// Run runs f as a subtest and returns when it has ended.
	Run(name string, f func(t T))
}

// Run checks a Store against the contract of [storage.Store]. newStore is called once for
// each subtest and returns an empty store. All objects are possible in a restic repository,
// in [Repo] or a repository with the same prefix; so the same suite runs over HTTP.
func Run(t T, newStore func(t T) storage.Store, opts ...Option) {
	var e env
	for _, opt := range opts {
		opt(&e)
	}
	for _, tt := range suite {
		t.Run(tt.name, func(t T) {
			if e.overHTTP && tt.beneathHTTP {
				t.Skip("the protocol has no words for this")
			}
			e := e
			e.store = newStore(t)
			e.init(t, Repo)
			tt.run(t, e)
		})
	}
}

// init creates a repository: with a config, the other directories are known to be empty
// rather than absent.
func (e env) init(t T, repo string) {
	t.Helper()
	if creator, ok := e.store.(storage.Creator); ok {
		if err := creator.Create(t.Context(), repo); err != nil {
			t.Fatalf("Create(%s): %v", repo, err)
		}
	}
	e.mustPut(t, configOf(repo, []byte("config of "+repo)))
}

// suite lists the tests from simple to complex. Those with beneathHTTP set cannot be
// expressed in the restic protocol.
var suite = []struct {
	name        string
	beneathHTTP bool
	run         func(T, env)
}{
	{name: "an absent object is fs.ErrNotExist", run: testAbsentObject},
	{name: "a directory nobody wrote to lists as absent", run: testAbsentDir},
	{name: "a repository nobody made is absent", run: testAbsentRepo},
	{name: "what was put is there, whatever its type and size", run: testPut},
	{name: "ranges", run: testRanges},
	{name: "the same content may be put again", run: testPutAgain},
	{name: "other content replaces", beneathHTTP: true, run: testReplace},
	{name: "a body that fails leaves nothing", run: testFailingBody},
	{name: "an upload under way is not seen", run: testUploadUnderWay},
	{name: "a replacement under way is not seen", beneathHTTP: true, run: testReplacementUnderWay},
	{name: "removed is gone and its neighbours stay", run: testRemove},
	{name: "removing what is absent", run: testRemoveAbsent},
	{name: "lists are complete at every depth", run: testList},
	{name: "a list does not leave its directory", run: testListScope},
	{name: "an emptied directory lists as empty", run: testListEmptied},
	{name: "an error of fn ends the list and is returned", run: testListFnError},
	{name: "an object that goes in the middle of a list", run: testListVanishing},
	{name: "directories are no objects", beneathHTTP: true, run: testDirectories},
	{name: "odd directory names are names", beneathHTTP: true, run: testOddNames},
	{name: "names that are no valid paths are refused", beneathHTTP: true, run: testInvalidNames},
	{name: "a cancelled context is an error everywhere", run: testCancelled},
	{name: "a context cancelled in the middle of an upload leaves nothing", run: testCancelledUpload},
	{name: "many objects at once", run: testConcurrentPuts},
	{name: "one object at once", run: testConcurrentSame},
	{name: "replacements at once are never mixed", beneathHTTP: true, run: testConcurrentReplace},
	{name: "lists while objects come and go", run: testListWhileChanging},
	{name: "a directory shows what is directly in it", beneathHTTP: true, run: onTree(testReadDir)},
	{name: "an absent directory and an object cannot be read as one", beneathHTTP: true, run: onTree(testReadNoDir)},
	{name: "an error of fn ends the reading of a directory", beneathHTTP: true, run: onTree(testReadDirEnds)},
	{name: "a directory does not show uploads under way", beneathHTTP: true, run: onTree(testReadDirDuringUpload)},
	{name: "directories are made and removed", beneathHTTP: true, run: onTree(testMkdir)},
	{name: "an object is renamed, and replaces another", beneathHTTP: true, run: onTree(testRenameObject)},
	{name: "a directory is renamed with all that is below it", beneathHTTP: true, run: onTree(testRenameDir)},
	{name: "a cancelled context ends what is done to directories", beneathHTTP: true, run: onTree(testCancelledTree)},
	{name: "invalid names of directories are refused", beneathHTTP: true, run: onTree(testInvalidTreeNames)},
}

// wantNoDir checks the result of listing an absent directory.
func (e env) wantNoDir(t T, dir string, mayBeEmpty bool) {
	t.Helper()
	sizes, err := e.list(t.Context(), dir)
	if len(sizes) != 0 {
		t.Errorf("List(%s) of an absent directory has %d entries", dir, len(sizes))
	}
	if errors.Is(err, fs.ErrNotExist) || mayBeEmpty && err == nil {
		return
	}
	t.Errorf("List(%s) of an absent directory = %v; want fs.ErrNotExist", dir, err)
}
