package drill

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// assistance is the part of a drill that must run where the files have their real owners:
// in Podman's user namespace, unless we are in it.
type assistance struct {
	Restored string        `json:"restored"` // a directory with state and volumes
	Places   []state.Place `json:"places"`   // directories of the source
	Sample   int           `json:"sample"`   // how many files to compare
	Most     int64         `json:"most"`     // how many bytes to compare
	Taken    time.Time     `json:"taken"`    // start of the snapshot
	Remove   string        `json:"remove"`
}

// assisted is the result of an assistance.
type assisted struct {
	Files     uint64   `json:"files"` // restored
	Compared  int      `json:"compared"`
	Bytes     int64    `json:"bytes"`
	Changed   int      `json:"changed"` // in the source since the snapshot
	Gone      int      `json:"gone"`    // from the source since the snapshot
	Different []string `json:"different"`
	Unread    []string `json:"unread"` // not comparable, and why
}

// assistFlag makes the command perform an assistance that comes on stdin, and write the
// result to stdout.
const assistFlag = "assist"

func runAssist(sys *host.System) error {
	var a assistance
	if err := json.NewDecoder(sys.Stdin).Decode(&a); err != nil {
		return exit.With(exit.Usage, err)
	}
	done, err := a.do()
	if err != nil {
		return err
	}
	return json.NewEncoder(sys.Stdout).Encode(done)
}

func (a *assistance) do() (assisted, error) {
	if a.Remove != "" {
		return assisted{}, forceRemove(a.Remove)
	}
	return a.compare()
}

// compare compares a sample of the restored files with the source.
func (a *assistance) compare() (assisted, error) {
	var done assisted
	sample, err := a.choose(&done)
	if err != nil {
		return done, err
	}
	restored, err := os.OpenRoot(a.Restored)
	if err != nil {
		return done, err
	}
	defer func() { _ = restored.Close() }()
	sources := map[string]*os.Root{}
	defer func() {
		for _, s := range sources {
			_ = s.Close()
		}
	}()
	for _, name := range sample {
		place, below, ok := a.source(name)
		if !ok || done.Bytes > a.Most {
			continue
		}
		if sources[place.Dir] == nil {
			root, err := os.OpenRoot(place.Dir)
			if err != nil {
				done.Unread = append(done.Unread, fmt.Sprintf("%s: %v", place.Path, err))
				continue
			}
			sources[place.Dir] = root
		}
		a.compareOne(restored, name, sources[place.Dir], below, &done)
	}
	return done, nil
}

// choose picks a random sample of the restored files that have a source.
func (a *assistance) choose(done *assisted) ([]string, error) {
	var sample []string
	seen := 0
	err := filepath.WalkDir(a.Restored, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(a.Restored, name)
		if err != nil || relative == "." {
			return err
		}
		done.Files++
		if _, _, ok := a.source(relative); !ok || !entry.Type().IsRegular() {
			return nil
		}
		seen++
		if len(sample) < a.Sample {
			sample = append(sample, relative)
		} else if i := rand.IntN(seen); i < a.Sample {
			sample[i] = relative
		}
		return nil
	})
	return sample, err
}

// source returns the path that a restored file was saved from.
func (a *assistance) source(name string) (place state.Place, below string, ok bool) {
	for _, p := range a.Places {
		if below, ok := strings.CutPrefix(name, p.Path+"/"); ok {
			return p, below, true
		}
	}
	return state.Place{}, "", false
}

// compareOne compares a file with its source, unless the source changed since: a change of
// size or time means that the old content is unknown.
func (a *assistance) compareOne(restored *os.Root, name string, source *os.Root, below string, done *assisted) {
	fail := func(err error) { done.Unread = append(done.Unread, fmt.Sprintf("%q: %v", name, err)) }
	now, err := source.Lstat(below)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), err != nil && strings.Contains(err.Error(), "escapes"):
		done.Gone++ // or a link leads elsewhere now
		return
	case err != nil:
		fail(err)
		return
	}
	then, err := restored.Lstat(name)
	if err != nil {
		fail(err)
		return
	}
	if !now.Mode().IsRegular() || now.Size() != then.Size() || !now.ModTime().Equal(then.ModTime()) || changedSince(now, a.Taken) {
		done.Changed++
		return
	}
	same, err := sameContent(restored, name, source, below)
	if err != nil {
		fail(err)
		return
	}
	// It may have been modified while we read it.
	if again, err := source.Lstat(below); !same && (err != nil || !again.ModTime().Equal(now.ModTime()) || changedSince(again, a.Taken)) {
		done.Changed++
		return
	}
	done.Compared++
	done.Bytes += then.Size()
	if !same {
		done.Different = append(done.Different, name)
	}
}

// changedSince reports whether a file or its metadata changed after a time.
func changedSince(info fs.FileInfo, taken time.Time) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || !time.Unix(stat.Ctim.Unix()).Before(taken)
}

func sameContent(a *os.Root, nameA string, b *os.Root, nameB string) (bool, error) {
	fileA, err := a.Open(nameA)
	if err != nil {
		return false, err
	}
	defer func() { _ = fileA.Close() }()
	fileB, err := b.Open(nameB)
	if err != nil {
		return false, err
	}
	defer func() { _ = fileB.Close() }()
	const size = 128 << 10
	bufferA, bufferB := make([]byte, size), make([]byte, size)
	for {
		n, errA := io.ReadFull(fileA, bufferA)
		m, errB := io.ReadFull(fileB, bufferB)
		if n != m || !bytes.Equal(bufferA[:n], bufferB[:m]) {
			return false, nil
		}
		ended := errors.Is(errA, io.EOF) || errors.Is(errA, io.ErrUnexpectedEOF)
		switch {
		case errA != nil && !ended:
			return false, errA
		case errB != nil && !errors.Is(errB, io.EOF) && !errors.Is(errB, io.ErrUnexpectedEOF):
			return false, errB
		case ended:
			return true, nil
		}
	}
}
