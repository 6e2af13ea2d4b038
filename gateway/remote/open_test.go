package remote

import (
	"bytes"
	"errors"
	"io"
	iofs "io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	_ "github.com/rclone-gateway/rclone-gateway/gateway/remote/gcs" // its token server can be a test's
)

const errFull = syscall.ENOSPC

func TestOpenManyAtOnce(t *testing.T) {
	server := newS3Server(t)
	bucket := server.makeBucket(t)
	mustPut(t, open(t, server.section(), bucket), pack, "content")
	setSections(t, map[string]map[string]string{"s3-destination": server.section()})
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			section, base := server.section(), bucket
			if i%2 == 0 {
				section, base = map[string]string{"type": "alias", "remote": "s3-destination:" + bucket}, ""
			}
			s, err := Open(t.Context(), "id", section, base, Options{})
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			if _, err := s.Stat(t.Context(), pack); err != nil {
				t.Errorf("Stat: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		wg.Go(func() {
			backend.SetSections(map[string]map[string]string{"s3-destination": server.section()}, nil)
		})
	}
	wg.Wait()
}

// TestChangedSectionIsSeen opens a wrapping remote before and after the section
// it names has changed.
func TestChangedSectionIsSeen(t *testing.T) {
	one, two := newS3Server(t), newS3Server(t)
	alias := map[string]string{"type": "alias", "remote": "inner:bucket"}
	for _, server := range []*s3Server{one, two} {
		setSections(t, map[string]map[string]string{"inner": server.section()})
		s := open(t, alias, "")
		if err := s.Create(t.Context(), "."); err != nil {
			t.Fatalf("Create: %v", err)
		}
		if _, err := os.Stat(filepath.Join(server.dir, "bucket")); err != nil {
			t.Errorf("the bucket is not where the section says: %v", err)
		}
	}
}

// TestRefreshedToken opens a bucket of Google's with a token that has expired, on
// a server that gives out new ones.
func TestRefreshedToken(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if got := r.FormValue("refresh_token"); got != "refresh-old" {
			t.Errorf("refresh token %q; want the old one", got)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"access-new","refresh_token":"refresh-new","token_type":"bearer","expires_in":3600}`)
	})
	mux.HandleFunc("GET /b/bucket/o/{object}", func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer access-new" {
			t.Errorf("authorized as %q; want the new token", got)
		}
		_, _ = io.WriteString(w, `{"name":"object","size":"7","updated":"2026-01-01T00:00:00Z"}`)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	type change struct{ key, value string }
	changes := make(chan change, 1)
	section := map[string]string{
		"type":          "google cloud storage",
		"endpoint":      server.URL,
		"client_id":     "client",
		"client_secret": "client-secret",
		"token_url":     server.URL + "/token",
		"token":         `{"access_token":"access-old","refresh_token":"refresh-old","expiry":"2001-01-01T00:00:00Z"}`,
	}
	s, err := Open(t.Context(), "id", section, "bucket", Options{
		Changed: func(key, value string) { changes <- change{key, value} },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 { // the second time with the new token, and without a change
		if info, err := s.Stat(t.Context(), "object"); err != nil || info.Size() != 7 {
			t.Fatalf("Stat = %v, %v; want 7 bytes", info, err)
		}
	}
	select {
	case got := <-changes:
		if got.key != "token" || !strings.Contains(got.value, `"refresh-new"`) {
			t.Errorf("changed %q to %q; want the new token", got.key, got.value)
		}
	default:
		t.Error("the new token was not reported")
	}
}

func TestUnreadableDirectoryIsNoEmptyOne(t *testing.T) {
	if os.Geteuid() == 0 {
		asNobody(t) // root reads every directory
		return
	}
	dir := t.TempDir()
	s := open(t, map[string]string{"type": "local"}, dir)
	mustPut(t, s, pack, "content")
	for _, unreadable := range []string{repo + "/data/ab", repo + "/data", repo, "."} {
		path := filepath.Join(dir, unreadable)
		for _, mode := range []os.FileMode{0, 0o600} { // without, and with, the right to read names
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			err := s.List(t.Context(), repo+"/data", func(iofs.FileInfo) error { return nil })
			wantFault(t, "List with "+mode.String()+" "+unreadable, err, false)
		}
		if err := os.Chmod(path, 0o700); err != nil { //nolint:gosec // a directory
			t.Fatal(err)
		}
	}
}

// asNobody runs the test that calls it once more, as a user without privileges.
func asNobody(t *testing.T) {
	t.Helper()
	const nobody = 65534
	dir, err := os.MkdirTemp("", "asnobody") // t.TempDir is below a directory of root's own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "test")
	if err := errors.Join(os.WriteFile(program, binary, 0o755), os.Chown(dir, nobody, nobody)); err != nil { //nolint:gosec // nobody runs it
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if output, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(output, []byte("--- PASS: "+t.Name())) {
		t.Errorf("as nobody: %v\n%s", err, output)
	}
}
