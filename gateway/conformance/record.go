package conformance

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

// Result is the outcome of one test of the suite.
type Result struct {
	Name    string
	Skipped bool
	// Failures describe what was wrong; none means that the test passed.
	Failures []string
}

// Recorder runs the suite in a program and records its results. Make one with
// [NewRecorder].
type Recorder struct {
	*record
	results []Result
}

// NewRecorder returns a [T] for [Run]. The suite ends when ctx does.
func NewRecorder(ctx context.Context) *Recorder {
	return &Recorder{record: &record{ctx: ctx}}
}

// Results returns the results of the tests so far, in order.
func (r *Recorder) Results() []Result { return r.results }

// Run implements [T].
func (r *Recorder) Run(name string, f func(T)) {
	if r.ctx.Err() != nil {
		return
	}
	t, cancel := newRecord(r.ctx)
	defer cancel()
	t.call(f)
	r.results = append(r.results, Result{Name: name, Skipped: t.skipped, Failures: t.failures})
}

// record is one test, with the failures of its subtests.
type record struct {
	ctx context.Context

	mu       sync.Mutex
	skipped  bool
	failures []string
}

// newRecord returns a test whose context ends with cancel.
func newRecord(parent context.Context) (t *record, cancel context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	return &record{ctx: ctx}, cancel
}

// call runs f in its own goroutine, which Fatal and Skip end.
func (t *record) call(f func(T)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		f(t)
	}()
	<-done
}

func (*record) Helper() {}

func (t *record) Context() context.Context { return t.ctx }

func (t *record) Error(args ...any) {
	t.fail(fmt.Sprint(args...))
}

func (t *record) Errorf(format string, args ...any) {
	t.fail(fmt.Sprintf(format, args...))
}

func (t *record) Fatal(args ...any) {
	t.fail(fmt.Sprint(args...))
	runtime.Goexit()
}

func (t *record) Fatalf(format string, args ...any) {
	t.fail(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (t *record) Skip(...any) {
	t.mu.Lock()
	t.skipped = true
	t.mu.Unlock()
	runtime.Goexit()
}

// Run runs a subtest, whose failures count as failures of this test.
func (t *record) Run(name string, f func(T)) {
	sub, cancel := newRecord(t.ctx)
	defer cancel()
	sub.call(f)
	for _, failure := range sub.failures {
		t.fail(name + ": " + failure)
	}
}

func (t *record) fail(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, text)
}
