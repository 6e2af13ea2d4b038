package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

var errPlanned = errors.New("planned")

// newFaulty wraps a Mem with the objects d/a, d/b and d/c of ten bytes each.
func newFaulty(t *testing.T) (*storetest.Faulty, *storetest.Mem) {
	t.Helper()
	mem := storetest.NewMem()
	for _, name := range []string{"d/a", "d/b", "d/c"} {
		if err := mem.Put(t.Context(), name, 10, strings.NewReader("0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	return storetest.NewFaulty(t, mem), mem
}

func TestFaultyConformsWithoutFaults(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storage.Store {
		t.Helper()
		return storetest.NewFaulty(t, storetest.NewMem())
	})
}

// calls does each method once and says what came of it.
func calls(ctx context.Context, s storage.Store) map[storetest.Method]string {
	outcomes := make(map[storetest.Method]string)
	info, err := s.Stat(ctx, "d/a")
	if err == nil {
		outcomes[storetest.Stat] = strconv.FormatInt(info.Size(), 10)
	} else {
		outcomes[storetest.Stat] = err.Error()
	}
	body, size, err := s.Open(ctx, "d/a", 0, -1)
	if err == nil {
		data, err := io.ReadAll(body)
		outcomes[storetest.Open] = fmt.Sprintf("%d %s %v", size, data, err)
	} else {
		outcomes[storetest.Open] = err.Error()
	}
	src := bytes.NewReader(make([]byte, 10))
	err = s.Put(ctx, "d/new", 10, src)
	outcomes[storetest.Put] = fmt.Sprintf("%d unread, %v", src.Len(), err)
	outcomes[storetest.Remove] = fmt.Sprint(s.Remove(ctx, "d/b"))
	n := 0
	err = s.List(ctx, "d", func(fs.FileInfo) error { n++; return nil })
	outcomes[storetest.List] = fmt.Sprintf("%d, %v", n, err)
	return outcomes
}

func TestFaultsMeetTheCallTheyWerePlannedFor(t *testing.T) {
	healthy, _ := newFaulty(t)
	want := calls(t.Context(), healthy)
	for _, tt := range []struct {
		method storetest.Method
		fault  storetest.Fault
		want   string
	}{
		{storetest.Stat, storetest.Fail(errPlanned), "planned"},
		{storetest.Stat, storetest.LieAboutSize(7), "7"},
		{storetest.Open, storetest.Fail(errPlanned), "planned"},
		{storetest.Open, storetest.LieAboutSize(11), "11 0123456789 <nil>"},
		{storetest.Open, storetest.FailAfter(4, errPlanned), "10 0123 planned"},
		{storetest.Open, storetest.FailAfter(4, nil), "10 0123 <nil>"},
		{storetest.Put, storetest.Fail(errPlanned), "10 unread, planned"},
		{storetest.Put, storetest.FailAfter(4, errPlanned), "6 unread, planned"},
		{storetest.Remove, storetest.Fail(errPlanned), "planned"},
		{storetest.List, storetest.Fail(errPlanned), "0, planned"},
		{storetest.List, storetest.FailAfter(2, errPlanned), "2, planned"},
		{storetest.List, storetest.FailAfter(2, nil), "2, <nil>"},
	} {
		s, _ := newFaulty(t)
		s.Plan(tt.method, tt.fault)
		got := calls(t.Context(), s)
		for method, outcome := range got {
			switch {
			case method == tt.method && outcome != tt.want:
				t.Errorf("%s = %q; want %q", method, outcome, tt.want)
			case method != tt.method && method != storetest.List && outcome != want[method]:
				t.Errorf("%s = %q with a fault planned for %s; want %q", method, outcome, tt.method, want[method])
			}
		}
	}
}

func TestFaultsAreMetInOrderAndByName(t *testing.T) {
	s, _ := newFaulty(t)
	first, second, named := errors.New("first"), errors.New("second"), errors.New("named")
	s.Plan(storetest.Stat, storetest.Fail(named).On("d/c"), storetest.Fail(first), storetest.Fail(second))
	for _, step := range []struct {
		name string
		want error
	}{{"d/a", first}, {"d/c", named}, {"d/c", second}, {"d/c", nil}} {
		if _, err := s.Stat(t.Context(), step.name); !errors.Is(err, step.want) {
			t.Errorf("Stat(%s) = %v; want %v", step.name, err, step.want)
		}
	}
}

func TestHeldCallWaitsForItsReleaseOrContext(t *testing.T) {
	s, mem := newFaulty(t)
	fault, reached, release := storetest.Hold()
	s.Plan(storetest.Remove, fault)
	done := make(chan error, 1)
	go func() { done <- s.Remove(t.Context(), "d/a") }()
	<-reached
	if _, err := mem.Stat(t.Context(), "d/a"); err != nil {
		t.Errorf("the held Remove has happened: %v", err)
	}
	release()
	if err := <-done; err != nil {
		t.Errorf("Remove = %v", err)
	}

	fault, reached, _ = storetest.Hold()
	s.Plan(storetest.Remove, fault)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- s.Remove(ctx, "d/b") }()
	<-reached
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("held Remove with a cancelled context = %v", err)
	}
}

func TestStaleListIsOfThePast(t *testing.T) {
	s, _ := newFaulty(t)
	s.Plan(storetest.List, storetest.Stale(t, s, "d"))
	if err := s.Remove(t.Context(), "d/a"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{3, 2} {
		n := 0
		if err := s.List(t.Context(), "d", func(fs.FileInfo) error { n++; return nil }); err != nil || n != want {
			t.Errorf("List = %d entries, %v; want %d", n, err, want)
		}
	}
}

// recorder is a test that only notes whether it failed.
type recorder struct {
	testing.TB
	cleanup func()
	errors  []string
}

func (r *recorder) Cleanup(f func())          { r.cleanup = f }
func (r *recorder) Errorf(f string, a ...any) { r.errors = append(r.errors, fmt.Sprintf(f, a...)) }

func TestFaultThatNeverFiredFailsTheTest(t *testing.T) {
	r := &recorder{TB: t}
	s := storetest.NewFaulty(r, storetest.NewMem())
	s.Plan(storetest.Stat, storetest.Fail(errPlanned), storetest.Fail(errPlanned).On("d/a"))
	_, _ = s.Stat(t.Context(), "d/b")
	r.cleanup()
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], "d/a") {
		t.Errorf("errors of the test are %q; want one about d/a", r.errors)
	}
}
