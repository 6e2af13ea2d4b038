package remote

import (
	"context"
	"fmt"
	iofs "io/fs"
	"net/http"
	"slices"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// manyPacks stores packs of a repository and returns their names.
func manyPacks(t *testing.T, s *Store, n int) (names []string) {
	t.Helper()
	for i := range n {
		name, content := namedIn("data/ab", fmt.Sprint("pack ", i), 100)
		putNew(t, s, name, content)
		names = append(names, name)
	}
	return names
}

func countIn(t *testing.T, s *Store, dir string) (n int) {
	t.Helper()
	err := s.List(t.Context(), dir, func(iofs.FileInfo) error { n++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestS3DeletesManyObjectsInOneRequest and those that are absent count as deleted.
func TestS3DeletesManyObjectsInOneRequest(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := server.open(t)
	names := manyPacks(t, s, 5)
	absent, _ := namedIn("data/ab", "never stored", 100)
	server.taken()
	if err := storage.RemoveAll(t.Context(), s, append(names[:4:4], absent)); err != nil {
		t.Fatal(err)
	}
	if got := server.taken(); !slices.Equal(got, []string{http.MethodPost}) {
		t.Errorf("that took %v; want one POST", got)
	}
	if n := countIn(t, s, repo+"/data"); n != 1 {
		t.Errorf("%d packs are left, want 1", n)
	}
	if err := s.RemoveAll(t.Context(), []string{names[4], "../elsewhere"}); err == nil {
		t.Error("it removes what lies elsewhere")
	}
}

// TestAStorageThatDeletesOneByOne is asked once for more.
func TestAStorageThatDeletesOneByOne(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := server.open(t)
	names := manyPacks(t, s, 4)
	server.spoilWith(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusNotImplemented)
		}
		return r.Method == http.MethodPost
	})
	for range 2 {
		server.taken()
		if err := s.RemoveAll(t.Context(), names[:2]); err != nil {
			t.Fatal(err)
		}
		names = names[2:]
	}
	if got := server.taken(); slices.Contains(got, http.MethodPost) || s.Bulk() != 1 {
		t.Errorf("the second time took %v, and may remove %d at once", got, s.Bulk())
	}
	if n := countIn(t, s, repo+"/data"); n != 0 {
		t.Errorf("%d packs are left", n)
	}
}

// TestWhatABulkDeletionLeavesIsDeletedOneByOne, which says why it is left.
func TestWhatABulkDeletionLeavesIsDeletedOneByOne(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	bucket := server.makeBucket(t)
	s := open(t, server.section(), bucket)
	names := manyPacks(t, s, 3)
	server.spoilWith(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			w.Header().Set("Content-Type", "application/xml")
			fmt.Fprintf(w, `<DeleteResult><Error><Key>%s</Key><Code>InternalError</Code><Message>later</Message></Error></DeleteResult>`, names[1])
		}
		return r.Method == http.MethodPost
	})
	server.taken()
	if err := s.RemoveAll(t.Context(), names); err != nil {
		t.Fatal(err)
	}
	if got := server.taken(); !slices.Equal(got, []string{http.MethodPost, http.MethodDelete}) {
		t.Errorf("that took %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.RemoveAll(ctx, names); err == nil {
		t.Error("it removes for nobody")
	}
}

// TestNamesThatTheStorageSpellsOtherwiseAreDeletedOneByOne, as rclone spells them.
func TestNamesThatTheStorageSpellsOtherwiseAreDeletedOneByOne(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	bucket := server.makeBucket(t)
	for base, want := range map[string]int{
		bucket: 1000, bucket + "/a folder": 1000, bucket + "/Sicherung für März": 1, bucket + "/a\tb": 1,
	} {
		if got := open(t, server.section(), base).Bulk(); got != want {
			t.Errorf("below %q it removes %d at once, want %d", base, got, want)
		}
	}
	for key, value := range map[string]string{"encoding": "Slash,Dot", "versions": "true"} {
		section := server.section()
		section[key] = value
		if got := open(t, section, bucket).Bulk(); got != 1 {
			t.Errorf("with %s it removes %d at once", key, got)
		}
	}
}
