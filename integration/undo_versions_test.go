package integration

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// TestPacksAreMovedOutOfListsWhereVersionsCanBeDeleted: a pack that is moved into the trash
// of a bucket with versions takes no space twice where the key deletes versions, and is not
// moved where it does not.
func TestPacksAreMovedOutOfListsWhereVersionsCanBeDeleted(t *testing.T) {
	t.Parallel()
	server := startMinIO(t)
	admin := adminOf(server)
	admin.versionedBucket(t, "versioned")
	admin.lockedBucket(t, "governed", types.ObjectLockRetentionModeGovernance)
	open := func(id, bucket string, section map[string]string) *remote.Store {
		s, err := remote.Open(t.Context(), id, section, bucket, remote.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := open("all", "versioned", server.section(server.secret))
	for name, tt := range map[string]struct {
		store *remote.Store
		want  bool
	}{
		"whose key deletes versions":  {s, true},
		"whose key keeps versions":    {open("keeps", "versioned", admin.keyThatKeepsVersions(t, "versioned")), false},
		"that keeps all for a day":    {open("governed", "governed", server.section(server.secret)), false},
		"and again, as it was proven": {s, true},
	} {
		if got, err := tt.store.Copies(t.Context()); err != nil || got != tt.want {
			t.Errorf("a bucket %s moves packs: %v, %v; want %v", name, got, err, tt.want)
		}
	}

	content, name := blob(1000)
	pack := mailRepo + "/data/" + name[:2] + "/" + name
	if err := s.Put(t.Context(), pack, int64(len(content)), bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	copied := ledger.Dir + "/" + mailRepo + "/kept/data_" + name
	if err := s.Copy(t.Context(), pack, copied); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveCopied(t.Context(), pack); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{pack: 0, copied: 1} {
		if versions, markers := admin.versions(t, "versioned", key); versions != want || markers != 0 {
			t.Errorf("%s has %d versions and %d markers, want %d versions", key, versions, markers, want)
		}
	}
	// One that was replaced once is gone, too, and its older version stays.
	for range 2 {
		bucket := "versioned"
		if _, err := admin.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &pack, Body: bytes.NewReader(content)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.RemoveCopied(t.Context(), pack); err != nil {
		t.Fatal(err)
	}
	if versions, markers := admin.versions(t, "versioned", pack); versions != 1 || markers != 1 {
		t.Errorf("after that it has %d versions and %d markers", versions, markers)
	}
	if _, err := s.Stat(t.Context(), pack); err == nil {
		t.Error("it is there again")
	}
}

// TestMinIODeletesManyObjectsInOneRequest of one bucket after another, with and without
// versions.
func TestMinIODeletesManyObjectsInOneRequest(t *testing.T) {
	t.Parallel()
	server := startMinIO(t)
	admin := adminOf(server)
	admin.versionedBucket(t, "versioned")
	plain := "plain"
	if _, err := admin.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &plain}); err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{plain, "versioned"} {
		s, err := remote.Open(t.Context(), bucket, server.section(server.secret), bucket+"/a folder", remote.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		var names []string
		for range 20 {
			content, name := blob(100)
			names = append(names, mailRepo+"/data/"+name[:2]+"/"+name)
			if err := s.Put(t.Context(), names[len(names)-1], int64(len(content)), bytes.NewReader(content)); err != nil {
				t.Fatal(err)
			}
		}
		before := server.link.requests.Load()
		if err := s.RemoveAll(t.Context(), names); err != nil {
			t.Fatal(err)
		}
		if n := server.link.requests.Load() - before; n != 1 {
			t.Errorf("in the bucket %s that took %d requests", bucket, n)
		}
		for _, name := range names {
			if _, err := s.Stat(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("in the bucket %s, %s: %v", bucket, name, err)
			}
		}
	}
}
