package backend

import (
	"context"
	"errors"
	"io"
	iofs "io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/obscure"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

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
			s, err := Open(t.Context(), "destination-1", tt.section, tt.base, nil)
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
	_, err = Open(ctx, "id", section, "", nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v; want context.Canceled", err)
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

// TestAHostThatIsMoreThanOneIsRefused says what is wrong before anybody looks it up.
func TestAHostThatIsMoreThanOneIsRefused(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"sftp", "ftp", "smb"} {
		info, err := fs.Find(typ)
		if err != nil {
			t.Fatal(err)
		}
		for host, want := range map[string]bool{
			"backup@nas.example.org": true, "sftp://nas.example.org": true, `\\nas\share`: true, "nas.example.org:2222": true,
			"nas.example.org/backups": true, "smb://nas": true,
			"nas.example.org": false, "10.0.0.7": false, "fd00::7": false, "[fd00::7]": false, "nas": false, "": false,
		} {
			err := checkHost(info, map[string]string{"type": typ, "host": host})
			if errors.Is(err, storage.ErrHost) != want {
				t.Errorf("%s, %q: %v", typ, host, err)
			}
		}
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
			if err := (&Backend{scrub: newScrubber(nil, nil)}).Describe("put x", tt.err); errors.Is(err, iofs.ErrNotExist) {
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
