package remote

import (
	"bytes"
	"errors"
	"fmt"
	iofs "io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rclone/rclone/fs/rc"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/b2test"
)

// openB2 opens a bucket with a key that lacks a capability.
func openB2(t *testing.T, section map[string]string, lacks ...string) *Store {
	t.Helper()
	const keyID, key, bucket = "0012a34b56c78d90000000001", "the application key", "my-bucket"
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler = b2test.New(b2test.Account{
		KeyID: keyID, Key: key, Bucket: bucket, URL: "http://" + server.Listener.Addr().String(), Lacks: lacks,
	})
	server.Start()
	t.Cleanup(server.Close)
	all := map[string]string{"type": "b2", "account": keyID, "key": key, "endpoint": server.URL}
	maps.Copy(all, section)
	return open(t, all, bucket+"/backups")
}

// TestAB2KeyWithoutDeleteFilesHides removes locks, as clients do all the time, with a
// key that may hide them and nothing more.
func TestAB2KeyWithoutDeleteFilesHides(t *testing.T) {
	t.Parallel()
	s := openB2(t, nil, "deleteFiles")
	for range 2 {
		lock, content := named(160)
		mustPut(t, s, lock, string(content))
		if err := s.Remove(t.Context(), lock); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Stat(t.Context(), lock); !errors.Is(err, iofs.ErrNotExist) {
			t.Errorf("Stat = %v; want iofs.ErrNotExist", err)
		}
		if err := s.Remove(t.Context(), lock); !errors.Is(err, iofs.ErrNotExist) {
			t.Errorf("Remove of what is hidden = %v; want iofs.ErrNotExist", err)
		}
	}
	if !s.hides.Load() {
		t.Error("it does not know that it hides")
	}
}

// TestWhatAB2KeyLacksIsADenial tells it from a key that is not accepted at all.
func TestWhatAB2KeyLacksIsADenial(t *testing.T) {
	t.Parallel()
	lock, content := named(160)
	t.Run("deleteFiles, where the section wants it to delete", func(t *testing.T) {
		t.Parallel()
		s := openB2(t, map[string]string{"hard_delete": "true"}, "deleteFiles")
		mustPut(t, s, lock, string(content))
		if err := s.Remove(t.Context(), lock); !errors.Is(err, storage.ErrReadOnly) {
			t.Errorf("Remove = %v; want storage.ErrReadOnly", err)
		}
	})
	t.Run("writeFiles", func(t *testing.T) {
		t.Parallel()
		s := openB2(t, nil, "writeFiles")
		if err := s.Put(t.Context(), lock, int64(len(content)), bytes.NewReader(content)); !errors.Is(err, storage.ErrReadOnly) {
			t.Errorf("Put = %v; want storage.ErrReadOnly", err)
		}
	})
	t.Run("readFiles", func(t *testing.T) {
		t.Parallel()
		s := openB2(t, nil, "readFiles")
		mustPut(t, s, lock, string(content))
		if _, _, err := s.Open(t.Context(), lock, 0, -1); !errors.Is(err, storage.ErrDenied) || errors.Is(err, storage.ErrReadOnly) {
			t.Errorf("Open = %v; want storage.ErrDenied", err)
		}
	})
}

// TestWrongKeysOfS3AreNoReadOnlyStorage makes sure that only who may read is said to
// have no permission to write.
func TestWrongKeysOfS3AreNoReadOnlyStorage(t *testing.T) {
	t.Parallel()
	lock, content := named(160)
	for _, mayList := range []bool{true, false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && mayList {
				w.Header().Set("Content-Type", "application/xml")
				fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`)
				return
			}
			refuseS3(w, http.StatusForbidden, "AccessDenied", "Access Denied.")
		}))
		t.Cleanup(server.Close)
		s := open(t, s3Section(server.URL), "bucket")
		err := s.Put(t.Context(), lock, int64(len(content)), bytes.NewReader(content))
		if err == nil || errors.Is(err, storage.ErrReadOnly) != mayList {
			t.Errorf("who may list (%v): Put = %v", mayList, err)
		}
	}
}

// TestAPasswordInClearIsNamed pastes one that looks like one that is obscured: letters
// and digits of some length.
func TestAPasswordInClearIsNamed(t *testing.T) {
	t.Parallel()
	address := serve(t, rc.Params{"type": "webdav", "fs": t.TempDir(), "user": "backup", "pass": "correct-horse-battery-st"})
	obscured, err := backend.Obscure("webdav", map[string]string{"pass": "wrong-and-obscured"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		pass string
		want bool
	}{
		"in clear":            {"correct-horse-battery-st", true},
		"another, in clear":   {"c29tZXRoaW5nIHRoYXQgbG9va3MgbGlrZSBpdA", true},
		"wrong, and obscured": {obscured["pass"], false},
	} {
		section := map[string]string{"type": "webdav", "url": "http://" + address, "vendor": "other", "user": "backup", "pass": tt.pass}
		s, err := Open(t.Context(), "test", section, "backups", Options{})
		if err == nil {
			_, err = s.Stat(t.Context(), "app/uuid/config")
		}
		if err == nil || errors.Is(err, storage.ErrObscured) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
