package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	iofs "io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/obscure"

	_ "github.com/rclone-gateway/rclone-gateway/gateway/remote/gcs" // its token server can be a test's
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

const errFull = syscall.ENOSPC

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		section map[string]string
		base    string
		want    string // in the error
	}{
		{"no type", map[string]string{}, "", `no such remote type ""`},
		{"an unknown type", map[string]string{"type": "floppy"}, "", `no such remote type "floppy"`},
		{"an invalid size", map[string]string{"type": "s3", "chunk_size": "hunter2secret"}, "b", `"chunk_size"`},
		{"a password that is not obscured", map[string]string{"type": "crypt", "remote": os.TempDir(), "password": "hunter2secret!"}, "", "obscured"},
		{"a base that is a file", map[string]string{"type": "local"}, file, "is a file"},
		{"a remote that nobody knows", map[string]string{"type": "alias", "remote": "hunter2secret:"}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Open(t.Context(), "destination-1", tt.section, tt.base, Options{})
			if err == nil {
				s.Close()
				t.Fatal("Open succeeded")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "destination-1") {
				t.Errorf("Open = %v; want the destination and %q in it", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2secret") && tt.section["type"] != "alias" {
				t.Errorf("Open = %v, which holds a value of the section", err)
			}
			if errors.Is(err, iofs.ErrNotExist) {
				t.Errorf("Open = %v, which says that something is absent", err)
			}
		})
	}
}

// TestOpenEndsWithItsContext opens SFTP on a server that says nothing.
func TestOpenEndsWithItsContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := listener.Accept()
		cancel()
		if err == nil {
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
		}
	}()
	section := map[string]string{
		"type": "sftp", "host": host, "port": port, "user": "nobody", "pass": obscure.MustObscure("password"),
	}
	_, err = Open(ctx, "id", section, "", Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v; want context.Canceled", err)
	}
}

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
			SetSections(map[string]map[string]string{"s3-destination": server.section()}, nil)
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

// TestHomeStaysClean runs this test's own binary, which links all of rclone that
// the package does, in an empty home.
func TestHomeStaysClean(t *testing.T) {
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOpenRefuses$")
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	err := filepath.WalkDir(home, func(path string, _ iofs.DirEntry, err error) error {
		if path != home {
			t.Errorf("%s was made", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
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

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want error
	}{
		{"refused", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, storage.ErrUnavailable},
		{"no such host", &net.DNSError{Err: "no such host", IsNotFound: true}, storage.ErrUnavailable},
		{"a limit of the backend's own", context.DeadlineExceeded, storage.ErrUnavailable},
		{"disk full", &iofs.PathError{Op: "write", Err: syscall.ENOSPC}, syscall.ENOSPC},
		{"quota of a file system", &iofs.PathError{Op: "write", Err: syscall.EDQUOT}, syscall.EDQUOT},
		{"Google's storage quota", errors.New("googleapi: Error 403: The user's Drive storage quota has been exceeded., storageQuotaExceeded"), syscall.ENOSPC},
		{"Google's request quota", errors.New("googleapi: Error 403: Quota exceeded for quota metric 'Queries'"), nil},
		{"a file that SMB is replacing", errors.New("open a: the share access flags are incompatible"), storage.ErrThrottled},
		{"refused credentials", errors.New("401 Unauthorized"), nil},
		{"a key file that is missing", &iofs.PathError{Op: "open", Path: "/etc/key", Err: syscall.ENOENT}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := classify(tt.err); !errors.Is(got, tt.want) || (tt.want == nil) != (got == nil) {
				t.Errorf("classify(%v) = %v; want %v", tt.err, got, tt.want)
			}
			if err := (&Store{scrub: newScrubber(nil, nil)}).describe("put x", tt.err); errors.Is(err, iofs.ErrNotExist) {
				t.Errorf("%v says that something is absent", err)
			}
		})
	}
}

func TestScrub(t *testing.T) {
	info, err := fs.Find("s3")
	if err != nil {
		t.Fatal(err)
	}
	scrub := newScrubber(map[string]string{
		"type":              "s3",
		"provider":          "Other",
		"secret_access_key": "se/cret+key",
		"unheard_of":        "unheard value",
		"token":             `{"access_token":"inner-token","expiry":"never"}`,
	}, info.Options)
	got := scrub.Replace("s3 Other: se/cret+key se%2Fcret%2Bkey inner-token unheard value")
	if want := "s3 Other: XXX XXX XXX XXX"; got != want {
		t.Errorf("scrubbed: %q; want %q", got, want)
	}
}

func TestLevels(t *testing.T) {
	var got []slog.Level
	h := plainLevels{recordLevels(func(l slog.Level) { got = append(got, l) })}
	for _, level := range []fs.LogLevel{fs.LogLevelEmergency, fs.LogLevelError, fs.LogLevelWarning, fs.LogLevelNotice, fs.LogLevelInfo} {
		r := slog.NewRecord(time.Time{}, fs.LogLevelToSlog(level), "", 0)
		if err := h.Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	want := []slog.Level{slog.LevelError, slog.LevelError, slog.LevelWarn, slog.LevelWarn, slog.LevelInfo}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("levels %v; want %v", got, want)
			break
		}
	}
}

type recordLevels func(slog.Level)

func (recordLevels) Enabled(context.Context, slog.Level) bool { return true }
func (h recordLevels) Handle(_ context.Context, r slog.Record) error {
	h(r.Level)
	return nil
}
func (h recordLevels) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h recordLevels) WithGroup(string) slog.Handler      { return h }
