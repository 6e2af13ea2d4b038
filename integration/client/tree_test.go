package client

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fill makes files of all kinds, and keys of all types.
func (h *clientHost) fill(t *testing.T) {
	t.Helper()
	h.fillDir(t, h.path("state/things"))
	h.fillDir(t, h.volume(t))
	h.addBulk(t, 4)
	key := "module/" + h.module.ID + "/"
	for _, args := range [][]any{
		{"set", key + "mykey", "the value"},
		{"set", key + "ui_name", "My label"},
		{"set", key + "typed/string", "bytes\x00\xff", "px", 3_600_000},
		{"hset", key + "typed/hash", "a", 1, "b", 2},
		{"rpush", key + "typed/list", "x", "y", "x"},
		{"sadd", key + "typed/set", 1, 2, 3}, // the order of words would be another one
		{"zadd", key + "typed/zset", 1.5, "p", -2, "q"},
		{"xadd", key + "typed/stream", "1-1", "f", "v"},
	} {
		h.world.redis.Do(args...)
	}
}

func (h *clientHost) fillDir(t *testing.T, dir string) {
	t.Helper()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"", "empty", "deep/er/est", "state", "closed"} {
		h.check(t, os.MkdirAll(in(name), 0o755))
	}
	for name, content := range map[string]string{
		"plain": "text", "deep/er/est/file": "deep", "état ünï — 日本": "unicode", "new\nline": "newline", " -rf *": "odd",
		"state/environment": "the application's own", "skip.tmp": "excluded", "deep/anchored": "excluded from the volume",
		"closed/file": "closed",
	} {
		h.check(t, os.WriteFile(in(name), []byte(content), 0o644))
	}
	h.check(t, os.Link(in("plain"), in("hard link")))
	h.check(t, os.Symlink("../else\nwhere", in("dangling")))
	h.check(t, os.Symlink("plain", in("symlink")))
	sparse, err := os.Create(in("sparse"))
	h.check(t, err)
	_, err = sparse.WriteAt([]byte("end"), 8<<20)
	h.check(t, errors.Join(err, sparse.Close()))
	h.check(t, unix.Setxattr(in("plain"), "user.colour", []byte("blue"), 0))
	h.check(t, unix.Mkfifo(in("fifo"), 0o600))
	if h.login == nil && os.Geteuid() == 0 {
		h.check(t, os.Lchown(in("plain"), 33, 33))
	}
	h.check(t, filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, h.own(name))
	}))
	h.check(t, os.Chmod(in("deep/er/est/file"), 0o4711))
	h.check(t, os.Chmod(in("empty"), 0o1777))
	h.check(t, os.Chmod(in("closed"), 0o700))
	h.check(t, os.Chtimes(in("plain"), time.Time{}, time.Unix(1_000_000_000, 123_456_789)))
}

// addBulk adds files of one mebibyte, all different, to the volume.
func (h *clientHost) addBulk(t *testing.T, files int) {
	t.Helper()
	dir := h.volume(t)
	for range files {
		file, err := os.CreateTemp(dir, "bulk")
		h.check(t, err)
		random, err := os.Open("/dev/urandom")
		h.check(t, err)
		_, err = io.CopyN(file, random, 1<<20)
		h.check(t, errors.Join(err, random.Close(), file.Close(), h.own(file.Name())))
	}
}

// dumpFiles are the dumps and helpers that a backup left behind.
func (h *clientHost) dumpFiles(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(h.path("state"))
	h.check(t, err)
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		// What is known without Redis stays.
		if name != "environment" && name != "things" && name != ".module-backup.lock" && name != ".module-backup.known-"+clientSchedule+".json" {
			names = append(names, name)
		}
	}
	return names
}

// tree describes the files of the module, by their paths.
func (h *clientHost) tree(t *testing.T) map[string]string {
	t.Helper()
	tree := describeTree(t, h.path("state/things"), "state/things")
	maps.Copy(tree, describeTree(t, h.volume(t), "volumes/data"))
	return tree
}

// compare wants the same files as in want, but for what was excluded.
func (h *clientHost) compare(t *testing.T, want map[string]string) {
	t.Helper()
	got := h.tree(t)
	for name, description := range want {
		if excluded(name) {
			if _, ok := got[name]; ok {
				t.Errorf("%q was excluded, and is back", name)
			}
			continue
		}
		if got[name] != description {
			t.Errorf("%q is\n%s, and was\n%s", name, got[name], description)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%q is new", name)
		}
	}
	environment, err := os.ReadFile(h.path("state/environment"))
	if want := "MODULE_ID=" + h.module.ID + "\n"; string(environment) != want || err != nil {
		t.Errorf("state/environment holds %q, %v; want %q", environment, err, want)
	}
}

// excluded reports whether state-exclude.conf names the file: wherever it is, or there
// alone.
func excluded(name string) bool {
	return strings.HasSuffix(name, ".tmp") || name == "volumes/data/deep/anchored"
}

func describeTree(t *testing.T, root, prefix string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		tree[path.Join(prefix, relative)], err = describeFile(name, entry)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func describeFile(name string, entry fs.DirEntry) (string, error) {
	info, err := entry.Info()
	if err != nil {
		return "", err
	}
	stat, _ := info.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("%s %d:%d", info.Mode(), stat.Uid, stat.Gid)
	switch {
	case info.Mode().IsRegular():
		data, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		colour := make([]byte, 64)
		n, _ := unix.Getxattr(name, "user.colour", colour)
		text += fmt.Sprintf(" %d bytes %x, %s, %d links, sparse %v, colour %q", len(data), sha256.Sum256(data),
			info.ModTime().UTC(), stat.Nlink, stat.Blocks*512 < info.Size()/2, colour[:max(n, 0)])
	case info.Mode().Type() == fs.ModeSymlink:
		target, err := os.Readlink(name)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(" to %q", target)
	}
	return text, nil
}

// forgetKeys removes the keys that a restore makes and does not replace.
func (h *clientHost) forgetKeys() {
	keys := []any{"del"}
	for _, name := range []string{"mykey", "typed/string", "typed/hash", "typed/list", "typed/set", "typed/zset", "typed/stream"} {
		keys = append(keys, "module/"+h.module.ID+"/"+name)
	}
	h.world.redis.Do(keys...)
}

// compareKeys wants the keys of the saved module under the name of this one.
func (h *clientHost) compareKeys(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	admin := h.world.redis.Admin()
	from, to := "module/"+savedModule.ID+"/", "module/"+h.module.ID+"/"
	for _, key := range []string{"mykey", "ui_name", "typed/string", "typed/hash", "typed/list", "typed/set", "typed/zset", "typed/stream"} {
		want, err := admin.Dump(ctx, from+key).Result()
		h.check(t, err)
		if got, err := admin.Dump(ctx, to+key).Result(); got != want || err != nil {
			t.Errorf("key %s holds %q, %v; want %q", to+key, got, err, want)
		}
	}
	ttl, err := admin.PTTL(ctx, to+"typed/string").Result()
	if err != nil || ttl < 50*time.Minute || ttl > time.Hour {
		t.Errorf("the time to live is %v, %v; want about an hour", ttl, err)
	}
}
