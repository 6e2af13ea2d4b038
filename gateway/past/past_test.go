package past_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/past"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/expiry"
)

const repo = "notes/0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11"

func put(t *testing.T, s storage.Store, name, content string) {
	t.Helper()
	if err := s.Put(t.Context(), name, int64(len(content)), strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, s storage.Store, dir string) (names []string) {
	t.Helper()
	err := s.List(t.Context(), dir, func(info fs.FileInfo) error {
		names = append(names, info.Name())
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

func TestSplitIsTheReverseOfName(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 20, 0, 0, 0, time.UTC)
	for _, below := range []string{"", "/", "/config", "/data/", "/x@y"} {
		gotRepo, gotBelow, gotAt, view, valid := past.Split(past.Name(repo, at) + below)
		if gotRepo != repo || gotBelow != below || !gotAt.Equal(at) || !view || !valid {
			t.Errorf("%q: %s, %s, %v, %v, %v", below, gotRepo, gotBelow, gotAt, view, valid)
		}
	}
	for _, path := range []string{"", "notes", repo, repo + "/config", "a/b@c/config", "a/b@/config", "a@2026-11-29T20:00:00Z/b/config"} {
		if _, _, _, view, _ := past.Split(path); view {
			t.Errorf("%q is taken for a view", path)
		}
	}
}

func TestAViewIsReadOnlyAndShowsOneRepository(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock, err := expiry.NewClock("", expiry.System())
		if err != nil {
			t.Fatal(err)
		}
		kept := trash.New(storetest.NewMem(), trash.Options{Keep: func() time.Duration { return time.Hour }, Clock: clock})
		digits := strings.Repeat("ab", 32)
		for _, name := range []string{"/config", "/index/" + digits, "/data/ab/" + digits, "/locks/" + digits, "/receipts/" + digits + ".node"} {
			put(t, kept, repo+name, "content of "+name)
		}
		put(t, kept, "other/uuid/config", "another config")
		at := time.Now()
		time.Sleep(2 * time.Second) // in a bubble of synctest
		name := past.Name(repo, at)
		v := past.Open(kept, repo, at)
		for _, object := range []string{"/config", "/index/" + digits, "/data/ab/" + digits} {
			body, size, err := v.Open(t.Context(), name+object, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(body)
			if err != nil || string(content) != "content of "+object || size != int64(len(content)) {
				t.Errorf("%s holds %q, %v", object, content, err)
			}
			if err := body.Close(); err != nil {
				t.Error(err)
			}
			if info, err := v.Stat(t.Context(), name+object); err != nil || info.Size() != size {
				t.Errorf("%s: %v", object, err)
			}
		}
		// Who saved a snapshot is known; its locks are of now.
		if _, err := v.Stat(t.Context(), name+"/receipts/"+digits+".node"); err != nil {
			t.Error(err)
		}
		if got := list(t, v, name+"/index"); len(got) != 1 {
			t.Errorf("it lists the indexes %v", got)
		}
		if got := list(t, v, name+"/locks"); len(got) != 0 {
			t.Errorf("it lists the locks %v", got)
		}
		for _, elsewhere := range []string{repo + "/config", "other/uuid/config", name + "x/config", past.Name("other/uuid", at) + "/config", name + "/locks/" + digits} {
			if _, _, err := v.Open(t.Context(), elsewhere, 0, -1); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", elsewhere, err)
			}
		}
		if err := v.Put(t.Context(), name+"/index/"+digits, 0, strings.NewReader("")); !errors.Is(err, refusal.ErrPast) {
			t.Errorf("Put: %v", err)
		}
		if err := v.Remove(t.Context(), name+"/index/"+digits); !errors.Is(err, refusal.ErrPast) {
			t.Errorf("Remove: %v", err)
		}
	})
}

func TestOwnLocksAreSmallFewAndExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var spaces past.Spaces
		beneath := storetest.NewMem()
		put(t, beneath, repo+"/locks/of-a-node", "a lock")
		mine := past.Over(beneath, repo, spaces.Of("d", repo, "module/a"))
		put(t, mine, repo+"/locks/mine", "my lock")
		if got := list(t, mine, repo+"/locks"); len(got) != 2 {
			t.Errorf("it lists %v", got)
		}
		theirs := past.Over(beneath, repo, spaces.Of("d", repo, "module/b"))
		if got := list(t, theirs, repo+"/locks"); len(got) != 1 {
			t.Errorf("another one lists %v", got)
		}
		body, _, err := mine.Open(t.Context(), repo+"/locks/mine", 3, 2)
		if err != nil {
			t.Fatal(err)
		}
		if part, err := io.ReadAll(body); err != nil || string(part) != "lo" {
			t.Errorf("a part of it is %q, %v", part, err)
		}
		if _, size, err := mine.Open(t.Context(), repo+"/locks/mine", 99, -1); !errors.Is(err, storage.ErrRange) || size != 7 {
			t.Errorf("behind its end: %d, %v", size, err)
		}
		if err := mine.Put(t.Context(), repo+"/locks/large", 1<<20, bytes.NewReader(make([]byte, 1<<20))); !errors.Is(err, refusal.ErrForm) {
			t.Errorf("a large one: %v", err)
		}
		for i := range 31 {
			put(t, mine, fmt.Sprint(repo+"/locks/more-", i), "a lock")
		}
		if err := mine.Put(t.Context(), repo+"/locks/too-many", 1, strings.NewReader("x")); !errors.Is(err, refusal.ErrRate) {
			t.Errorf("one too many: %v", err)
		}
		if err := mine.Remove(t.Context(), repo+"/locks/of-a-node"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("somebody else's is removed: %v", err)
		}
		if err := mine.Remove(t.Context(), repo+"/locks/mine"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour) // in a bubble of synctest
		if got := list(t, past.Over(beneath, repo, spaces.Of("d", repo, "module/a")), repo+"/locks"); len(got) != 1 || filepath.Base(got[0]) != "of-a-node" {
			t.Errorf("an hour later it lists %v", got)
		}
		// What is not a lock of the repository is the store's.
		put(t, mine, repo+"/index/x", "an index")
		if got := list(t, beneath, repo+"/index"); len(got) != 1 {
			t.Errorf("the store lists the indexes %v", got)
		}
	})
}
