package storetest

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Method names a method of [storage.Store].
type Method string

// The methods of [storage.Store].
const (
	Stat   Method = "Stat"
	Open   Method = "Open"
	Put    Method = "Put"
	Remove Method = "Remove"
	List   Method = "List"
)

// Faulty is a Store whose calls fail as planned, and otherwise are passed on to another
// Store. A planned fault affects one call; faults of one method are used in the order of
// planning. A fault that was not used fails the test at its end.
type Faulty struct {
	store storage.Store

	mu     sync.Mutex
	faults map[Method][]Fault
}

var _ storage.Store = (*Faulty)(nil)

// NewFaulty wraps store for the test tb.
func NewFaulty(tb testing.TB, store storage.Store) *Faulty {
	tb.Helper()
	f := &Faulty{store: store, faults: make(map[Method][]Fault)}
	tb.Cleanup(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for method, faults := range f.faults {
			for _, fault := range faults {
				tb.Errorf("planned fault never fired: %s %s %s", method, fault.name, fault.what)
			}
		}
	})
	return f
}

// Plan adds faults for future calls of method.
func (f *Faulty) Plan(method Method, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[method] = append(f.faults[method], faults...)
}

// next returns the first fault that is planned for this call; without one it returns the
// zero Fault, which changes nothing.
func (f *Faulty) next(method Method, name string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	faults := f.faults[method]
	i := slices.IndexFunc(faults, func(fault Fault) bool { return fault.name == "" || fault.name == name })
	if i < 0 {
		return Fault{}
	}
	fault := faults[i]
	f.faults[method] = slices.Delete(faults, i, i+1)
	return fault
}

// Fault is a way to fail. The functions below create faults.
type Fault struct {
	what string
	name string // only for calls with this name, if not empty

	wait  func(context.Context) error         // before anything else
	err   error                               // instead of the call, or after its first part
	cut   bool                                // the call has a first part
	after int64                               // length of the first part, in bytes or entries
	lie   bool                                // about the size
	size  int64                               // what to tell instead
	list  func(func(fs.FileInfo) error) error // instead of the list
}

// Fail makes the call return err without doing anything.
func Fail(err error) Fault {
	return Fault{what: fmt.Sprintf("Fail(%v)", err), err: err}
}

// FailAfter performs a part of the call: n bytes of the body that Open returns, n bytes of
// the body that Put reads, n entries of List. Then it fails with err. If err is nil, Open's
// body and List end as if they were complete; a Put needs an error.
func FailAfter(n int64, err error) Fault {
	return Fault{what: fmt.Sprintf("FailAfter(%d, %v)", n, err), cut: true, after: n, err: err}
}

// Hold blocks the call until release is called or the call's context ends, whose error it
// then returns. reached is closed when the call blocks.
func Hold() (fault Fault, reached <-chan struct{}, release func()) {
	arrived, released := make(chan struct{}), make(chan struct{})
	wait := func(ctx context.Context) error {
		close(arrived)
		select {
		case <-released:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return Fault{what: "Hold", wait: wait}, arrived, sync.OnceFunc(func() { close(released) })
}

// LieAboutSize makes Stat and Open return this size.
func LieAboutSize(size int64) Fault {
	return Fault{what: fmt.Sprintf("LieAboutSize(%d)", size), lie: true, size: size}
}

// Stale makes List answer as store would have answered for dir at the time of this call.
func Stale(tb testing.TB, store storage.Store, dir string) Fault {
	tb.Helper()
	var entries []fs.FileInfo
	listErr := store.List(tb.Context(), dir, func(i fs.FileInfo) error {
		entries = append(entries, storage.ObjectInfo(i.Name(), i.Size(), i.ModTime()))
		return nil
	})
	return Fault{what: "Stale", list: func(fn func(fs.FileInfo) error) error {
		for _, entry := range entries {
			if err := fn(entry); err != nil {
				return err
			}
		}
		return listErr
	}}
}

// On restricts the fault to calls with this name; it stays planned during other calls.
func (f Fault) On(name string) Fault {
	f.name = name
	return f
}

// before says why the call fails, or delays it.
func (f Fault) before(ctx context.Context) error {
	if f.wait != nil {
		if err := f.wait(ctx); err != nil {
			return err
		}
	}
	if !f.cut {
		return f.err
	}
	return nil
}

// Stat implements [storage.Store].
func (f *Faulty) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	fault := f.next(Stat, name)
	if err := fault.before(ctx); err != nil {
		return nil, err
	}
	i, err := f.store.Stat(ctx, name)
	if err != nil || !fault.lie {
		return i, err
	}
	return storage.ObjectInfo(i.Name(), fault.size, i.ModTime()), nil
}

// Open implements [storage.Store].
func (f *Faulty) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	fault := f.next(Open, name)
	if err := fault.before(ctx); err != nil {
		return nil, 0, err
	}
	body, size, err := f.store.Open(ctx, name, off, n)
	if err != nil {
		return nil, size, err
	}
	if fault.lie {
		size = fault.size
	}
	if fault.cut {
		body = cutBody{io.MultiReader(io.LimitReader(body, fault.after), endReader{fault.err}), body}
	}
	return body, size, nil
}

type cutBody struct {
	io.Reader
	io.Closer
}

// endReader ends with err, or if it is nil with io.EOF.
type endReader struct{ err error }

func (r endReader) Read([]byte) (int, error) {
	if r.err == nil {
		return 0, io.EOF
	}
	return 0, r.err
}

// Put implements [storage.Store].
func (f *Faulty) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	fault := f.next(Put, name)
	if err := fault.before(ctx); err != nil {
		return err
	}
	if !fault.cut {
		return f.store.Put(ctx, name, size, body)
	}
	if _, err := io.CopyN(io.Discard, body, fault.after); err != nil {
		return err
	}
	return fault.err
}

// Remove implements [storage.Store].
func (f *Faulty) Remove(ctx context.Context, name string) error {
	if err := f.next(Remove, name).before(ctx); err != nil {
		return err
	}
	return f.store.Remove(ctx, name)
}

// List implements [storage.Store].
func (f *Faulty) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	fault := f.next(List, dir)
	if err := fault.before(ctx); err != nil {
		return err
	}
	return fault.listing(fn, func(fn func(fs.FileInfo) error) error { return f.store.List(ctx, dir, fn) })
}

// listing calls list with the fault.
func (f Fault) listing(fn func(fs.FileInfo) error, list func(func(fs.FileInfo) error) error) error {
	if f.list != nil {
		return f.list(fn)
	}
	if !f.cut {
		return list(fn)
	}
	// The underlying list runs to its end, so that its error is not lost.
	left := f.after
	err := list(func(i fs.FileInfo) error {
		if left <= 0 {
			return nil
		}
		left--
		return fn(i)
	})
	if err != nil {
		return err
	}
	return f.err
}
