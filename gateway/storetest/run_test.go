package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// brokenEnv names the broken store that a child process runs the suite on.
const brokenEnv = "STORETEST_BROKEN"

// TestSuiteFindsBrokenStores runs the suite on stores with one defect each, such
// as real stores have had, in child processes, whose failure is what is wanted.
func TestSuiteFindsBrokenStores(t *testing.T) {
	if defect := os.Getenv(brokenEnv); defect != "" {
		storetest.Run(t, func(*testing.T) storage.Store { return broken[defect].store() })
		return
	}
	for defect, b := range broken {
		t.Run(defect, func(t *testing.T) {
			name := strings.ReplaceAll(b.found, " ", "_")
			cmd := exec.CommandContext(t.Context(), os.Args[0],
				"-test.run=^TestSuiteFindsBrokenStores$/^"+regexp.QuoteMeta(name)+"$")
			cmd.Env = append(os.Environ(), brokenEnv+"="+defect)
			out, err := cmd.CombinedOutput()
			if want := "--- FAIL: TestSuiteFindsBrokenStores/" + name; !strings.Contains(string(out), want) {
				t.Errorf("the suite ended with %v and without %q:\n%s", err, want, out)
			}
		})
	}
}

// broken are the defects, each with the subtest that has to find it.
var broken = map[string]struct {
	store func() storage.Store
	found string
}{
	"keeps half an upload":        {brokenPut(keepHalf), "a body that fails leaves nothing"},
	"takes a short body":          {brokenPut(takeShort), "a body that fails leaves nothing"},
	"takes a long body":           {brokenPut(takeLong), "a body that fails leaves nothing"},
	"removes before it replaces":  {brokenPut(removeFirst), "a body that fails leaves nothing"},
	"shows temporary files":       {brokenPut(showTemp), "an upload under way is not seen"},
	"finishes cancelled uploads":  {brokenPut(finishCancelled), "a context cancelled in the middle of an upload leaves nothing"},
	"takes names as paths":        {brokenPut(cleanName), "names that are no valid paths are refused"},
	"lists an absent directory":   {brokenList(absentIsEmpty), "a directory nobody wrote to lists as absent"},
	"cuts long lists":             {brokenList(cutLong), "lists are complete at every depth"},
	"continues after an error":    {brokenList(goOn), "an error of fn ends the list and is returned"},
	"cannot list what changes":    {brokenList(statAgain), "an object that goes in the middle of a list"},
	"ignores the end of a range":  {brokenOpen(toTheEnd), "ranges"},
	"tells the size of the range": {brokenOpen(sizeOfRange), "ranges"},
	"takes failures for absence":  {brokenOpen(absentAnyway), "a cancelled context is an error everywhere"},
}

type putFunc func(ctx context.Context, m *storetest.Mem, name string, size int64, body io.Reader) error

func brokenPut(put putFunc) func() storage.Store {
	return func() storage.Store { return &badPut{storetest.NewMem(), put} }
}

type badPut struct {
	*storetest.Mem
	put putFunc
}

func (s *badPut) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	return s.put(ctx, s.Mem, name, size, body)
}

func keepHalf(ctx context.Context, m *storetest.Mem, name string, size int64, body io.Reader) error {
	data, err := io.ReadAll(body)
	if err == nil {
		return m.Put(ctx, name, size, bytes.NewReader(data))
	}
	return errors.Join(err, m.Put(ctx, name, int64(len(data)), bytes.NewReader(data)))
}

func takeShort(ctx context.Context, m *storetest.Mem, name string, size int64, body io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(body, size+1))
	if err != nil {
		return err
	}
	return m.Put(ctx, name, min(size, int64(len(data))), bytes.NewReader(data))
}

func takeLong(ctx context.Context, m *storetest.Mem, name string, size int64, body io.Reader) error {
	return m.Put(ctx, name, size, io.LimitReader(body, size))
}

func removeFirst(ctx context.Context, m *storetest.Mem, name string, size int64, body io.Reader) error {
	_ = m.Remove(ctx, name)
	return m.Put(ctx, name, size, body)
}

func showTemp(ctx context.Context, m *storetest.Mem, name string, size int64, body io.Reader) error {
	temp := name + ".tmp"
	if err := m.Put(ctx, temp, 0, strings.NewReader("")); err != nil {
		return err
	}
	return errors.Join(m.Put(ctx, name, size, body), m.Remove(ctx, temp))
}

func finishCancelled(ctx context.Context, m *storetest.Mem, name string, size int64, body io.Reader) error {
	return errors.Join(m.Put(context.WithoutCancel(ctx), name, size, body), ctx.Err())
}

func cleanName(ctx context.Context, m *storetest.Mem, name string, size int64, body io.Reader) error {
	return m.Put(ctx, strings.TrimPrefix(path.Clean("/"+name), "/"), size, body)
}

type listFunc func(ctx context.Context, m *storetest.Mem, dir string, fn func(fs.FileInfo) error) error

func brokenList(list listFunc) func() storage.Store {
	return func() storage.Store { return &badList{storetest.NewMem(), list} }
}

type badList struct {
	*storetest.Mem
	list listFunc
}

func (s *badList) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return s.list(ctx, s.Mem, dir, fn)
}

func absentIsEmpty(ctx context.Context, m *storetest.Mem, dir string, fn func(fs.FileInfo) error) error {
	if err := m.List(ctx, dir, fn); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func cutLong(ctx context.Context, m *storetest.Mem, dir string, fn func(fs.FileInfo) error) error {
	n := 0
	return m.List(ctx, dir, func(info fs.FileInfo) error {
		if n++; n > 399 {
			return nil
		}
		return fn(info)
	})
}

func goOn(ctx context.Context, m *storetest.Mem, dir string, fn func(fs.FileInfo) error) error {
	var errs error
	err := m.List(ctx, dir, func(info fs.FileInfo) error {
		errs = errors.Join(errs, fn(info))
		return nil
	})
	return errors.Join(err, errs)
}

// statAgain looks at each object after it has read the directory, and fails
// where one has gone meanwhile.
func statAgain(ctx context.Context, m *storetest.Mem, dir string, fn func(fs.FileInfo) error) error {
	return m.List(ctx, dir, func(info fs.FileInfo) error {
		if _, err := m.Stat(ctx, path.Join(dir, info.Name())); err != nil {
			return err
		}
		return fn(info)
	})
}

type openFunc func(ctx context.Context, m *storetest.Mem, name string, off, n int64) (io.ReadCloser, int64, error)

func brokenOpen(open openFunc) func() storage.Store {
	return func() storage.Store { return &badOpen{storetest.NewMem(), open} }
}

type badOpen struct {
	*storetest.Mem
	open openFunc
}

func (s *badOpen) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	return s.open(ctx, s.Mem, name, off, n)
}

func toTheEnd(ctx context.Context, m *storetest.Mem, name string, off, _ int64) (io.ReadCloser, int64, error) {
	return m.Open(ctx, name, off, -1)
}

func sizeOfRange(ctx context.Context, m *storetest.Mem, name string, off, n int64) (io.ReadCloser, int64, error) {
	body, size, err := m.Open(ctx, name, off, n)
	if n >= 0 && n < size {
		size = n
	}
	return body, size, err
}

func absentAnyway(ctx context.Context, m *storetest.Mem, name string, off, n int64) (io.ReadCloser, int64, error) {
	body, size, err := m.Open(ctx, name, off, n)
	if err != nil && !errors.Is(err, storage.ErrRange) {
		err = fs.ErrNotExist
	}
	return body, size, err
}
