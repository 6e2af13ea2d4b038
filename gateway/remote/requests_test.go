package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

const (
	repo = "mymodule/5f0c7b1e-3b1f-4a58-9c3a-0a6de7a3b7ad"
	pack = repo + "/data/ab/abcdef"
)

func mustPut(t *testing.T, s *Store, name, content string) {
	t.Helper()
	if err := s.Put(t.Context(), name, int64(len(content)), strings.NewReader(content)); err != nil {
		t.Fatalf("Put(%s): %v", name, err)
	}
}

// TestRequests counts what arrives at the S3 server.
func TestRequests(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	bucket := server.makeBucket(t)
	s := open(t, server.section(), bucket+"/backups")
	if got := server.taken(); len(got) != 0 {
		t.Errorf("Open sent %v; want nothing", got)
	}
	read := func(off, n int64, want string) func() error {
		return func() error {
			body, size, err := s.Open(t.Context(), pack, off, n)
			if err != nil {
				return err
			}
			defer body.Close()
			got, err := io.ReadAll(body)
			if string(got) != want || size != 10 {
				return errors.Join(err, fmt.Errorf("read %q of %d bytes; want %q of 10", got, size, want))
			}
			return err
		}
	}
	wantErr := func(want error, f func() error) func() error {
		return func() error {
			if err := f(); !errors.Is(err, want) {
				return fmt.Errorf("got %w; want %w", err, want)
			}
			return nil
		}
	}
	stat := func(name string) func() error {
		return func() error { _, err := s.Stat(t.Context(), name); return err }
	}
	for _, tt := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"the first PUT", func() error {
			return s.Put(t.Context(), pack, 10, strings.NewReader("0123456789"))
		}, []string{"PUT"}},
		{"another PUT", func() error {
			return s.Put(t.Context(), pack, 10, strings.NewReader("0123456789"))
		}, []string{"PUT"}},
		{"an empty PUT", func() error {
			return s.Put(t.Context(), repo+"/data/00/00", 0, strings.NewReader(""))
		}, []string{"PUT"}},
		{"HEAD", stat(pack), []string{"HEAD"}},
		{"GET", read(0, -1, "0123456789"), []string{"GET"}},
		{"GET from an offset", read(3, -1, "3456789"), []string{"GET"}},
		{"GET of a range", read(3, 4, "3456"), []string{"GET"}},
		{"GET beyond the end", read(8, 4, "89"), []string{"GET"}},
		{"LIST", func() error {
			return s.List(t.Context(), repo+"/data", func(iofs.FileInfo) error { return nil })
		}, []string{"GET"}},
		{"DELETE", func() error { return s.Remove(t.Context(), pack) }, []string{"DELETE"}},
		{"create of what is there", func() error { return s.Create(t.Context(), repo) }, []string{"GET"}},
		// To prove an absence takes a look at the bucket.
		{"HEAD of what is absent", wantErr(iofs.ErrNotExist, stat(pack)), []string{"HEAD", "GET"}},
		{"GET of what is absent", wantErr(iofs.ErrNotExist, read(0, 1, "")), []string{"GET", "GET"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server.taken()
			if err := tt.do(); err != nil {
				t.Error(err)
			}
			if got := server.taken(); !slices.Equal(got, tt.want) {
				t.Errorf("requests: %v; want %v", got, tt.want)
			}
		})
	}
}

func TestS3ListTakesARequestPerPage(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	bucket := server.makeBucket(t)
	dir := filepath.Join(server.dir, bucket, "locks")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 25 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%064x", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	section := server.section()
	section["list_chunk"] = "10" // rclone's default is what S3 gives at most, 1000
	s := open(t, section, bucket)
	entries := -1 // the directory itself is told too
	err := s.ReadDir(t.Context(), "locks", func(iofs.FileInfo) error { entries++; return nil })
	if got := server.taken(); err != nil || entries != 25 || len(got) != 3 {
		t.Errorf("ReadDir = %v with %d entries in %d requests; want 25 in 3", err, entries, len(got))
	}
	objects := 0
	err = s.List(t.Context(), "locks", func(iofs.FileInfo) error { objects++; return nil })
	if got := server.taken(); err != nil || objects != 25 || len(got) != 3 {
		t.Errorf("List = %v with %d objects in %d requests; want 25 in 3", err, objects, len(got))
	}
	server.spoilWith(func(w http.ResponseWriter, r *http.Request) bool {
		if !r.URL.Query().Has("continuation-token") {
			return false
		}
		http.Error(w, "", http.StatusForbidden)
		return true
	})
	if err := s.List(t.Context(), "locks", func(iofs.FileInfo) error { return nil }); err == nil {
		t.Error("List whose second page was refused succeeded")
	}
}

// wantFault checks that an error says neither that something is absent nor
// anything secret, and that it is unavailable or not.
func wantFault(t *testing.T, op string, err error, unavailable bool) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s succeeded", op)
	case errors.Is(err, iofs.ErrNotExist):
		t.Errorf("%s = %v, which says that something is absent", op, err)
	case errors.Is(err, storage.ErrUnavailable) != unavailable:
		t.Errorf("%s = %v; storage.ErrUnavailable should be %t", op, err, unavailable)
	case strings.Contains(err.Error(), secretKey), strings.Contains(err.Error(), accessKey):
		t.Errorf("%s = %v, which holds a key", op, err)
	}
}

// wantAllFault checks every operation.
func wantAllFault(t *testing.T, s *Store, unavailable bool) {
	t.Helper()
	ctx := t.Context()
	_, err := s.Stat(ctx, pack)
	wantFault(t, "Stat", err, unavailable)
	body, _, err := s.Open(ctx, pack, 0, -1)
	if err == nil {
		body.Close()
	}
	wantFault(t, "Open", err, unavailable)
	wantFault(t, "Put", s.Put(ctx, pack, 4, strings.NewReader("pack")), unavailable)
	wantFault(t, "Remove", s.Remove(ctx, pack), unavailable)
	wantFault(t, "List", s.List(ctx, repo, func(iofs.FileInfo) error { return nil }), unavailable)
}

func TestMissingBucketIsNotAbsence(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := open(t, server.section(), "no-such-bucket/backups")
	wantAllFault(t, s, false)
	t.Run("and is made on request", func(t *testing.T) {
		for range 2 {
			if err := s.Create(t.Context(), repo); err != nil {
				t.Fatalf("Create: %v", err)
			}
		}
		mustPut(t, s, pack, "content")
		if _, err := s.Stat(t.Context(), pack); err != nil {
			t.Errorf("Stat: %v", err)
		}
	})
}

func TestMissingMemoryBucketIsNotAbsence(t *testing.T) {
	t.Parallel()
	s := open(t, map[string]string{"type": "memory"}, bucketName())
	_, err := s.Stat(t.Context(), pack)
	wantFault(t, "Stat", err, false)
	wantFault(t, "List", s.List(t.Context(), repo, func(iofs.FileInfo) error { return nil }), false)
}

func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	section := server.section()
	section["secret_access_key"] = "not" + secretKey
	wantAllFault(t, open(t, section, server.makeBucket(t)+"/backups"), false)
}

func TestRefusedPort(t *testing.T) {
	t.Parallel()
	wantAllFault(t, open(t, s3Section("http://"+testenv.FreeAddr(t)), "bucket/backups"), true)
}

func TestThrottled(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := server.open(t)
	for code, ask := range map[int]func(){
		http.StatusServiceUnavailable: func() { wantAllFault(t, s, true) },
		http.StatusTooManyRequests:    func() {},
	} {
		server.spoilWith(func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "<Error><Code>SlowDown</Code></Error>", code)
			return true
		})
		ask()
		if _, err := s.Stat(t.Context(), pack); !errors.Is(err, storage.ErrThrottled) {
			t.Errorf("%d: Stat = %v; want storage.ErrThrottled", code, err)
		}
	}
}

func TestOneFailureInPassingIsAbsorbed(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := server.open(t)
	mustPut(t, s, pack, "content")
	spoilNext := func() {
		spoiled := false
		server.spoilWith(func(w http.ResponseWriter, _ *http.Request) bool {
			if spoiled {
				return false
			}
			spoiled = true
			http.Error(w, "", http.StatusServiceUnavailable)
			return true
		})
	}
	spoilNext()
	if _, err := s.Stat(t.Context(), pack); err != nil {
		t.Errorf("Stat: %v", err)
	}
	spoilNext()
	body, _, err := s.Open(t.Context(), pack, 0, -1)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	body.Close()
	spoilNext()
	if err := s.Remove(t.Context(), pack); err != nil {
		t.Errorf("Remove: %v", err)
	}
}

// TestNoHalfPut checks that a PUT which the server fails after reading some of
// the body is not sent again with the rest of it.
func TestNoHalfPut(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // 1 MiB
	for _, tt := range []struct {
		name  string
		spoil func(w http.ResponseWriter, r *http.Request) bool
	}{
		{"fails at once", func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "", http.StatusServiceUnavailable)
			return true
		}},
		{"fails in the middle", func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.CopyN(io.Discard, r.Body, int64(len(content)/2))
			http.Error(w, "", http.StatusInternalServerError)
			return true
		}},
		{"dies in the middle", func(_ http.ResponseWriter, r *http.Request) bool {
			_, _ = io.CopyN(io.Discard, r.Body, int64(len(content)/2))
			panic(http.ErrAbortHandler)
		}},
		{"dies at the end", func(_ http.ResponseWriter, r *http.Request) bool {
			_, _ = io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := newS3Server(t)
			s := server.open(t)
			server.spoilWith(tt.spoil)
			err := s.Put(t.Context(), pack, int64(len(content)), bytes.NewReader(content))
			wantFault(t, "Put", err, true)
			if got := server.taken(); !slices.Equal(got, []string{"PUT"}) {
				t.Errorf("requests: %v; want one PUT", got)
			}
			server.spoilWith(nil)
			if _, err := s.Stat(t.Context(), pack); !errors.Is(err, iofs.ErrNotExist) {
				t.Errorf("Stat after the failed Put = %v; want fs.ErrNotExist", err)
			}
			mustPut(t, s, pack, string(content))
		})
	}
}

func TestServerDiesInTheMiddleOfAGet(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := server.open(t)
	server.spoilWith(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "1000000")
		_, _ = w.Write(make([]byte, 500_000))
		panic(http.ErrAbortHandler)
	})
	body, size, err := s.Open(t.Context(), pack, 0, -1)
	if err != nil || size != 1_000_000 {
		t.Fatalf("Open = %d bytes, %v; want 1000000", size, err)
	}
	defer body.Close()
	if n, err := io.Copy(io.Discard, body); err == nil || n > 500_000 {
		t.Errorf("read %d bytes, %v; want at most 500000 and an error", n, err)
	}
}

func TestIgnoredRangeFails(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := server.open(t)
	server.spoilWith(func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write([]byte("0123456789"))
		return true
	})
	body, _, err := s.Open(t.Context(), pack, 2, 3)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err == nil {
		t.Errorf("a range that the server ignored read as %q", got)
	}
}

func TestFullStorage(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := server.open(t)
	for _, answer := range []struct {
		status int
		code   string
	}{
		{http.StatusInsufficientStorage, "XMinioStorageFull"},
		{http.StatusForbidden, "QuotaExceeded"},
		{http.StatusInsufficientStorage, "InsufficientStorage"},
	} {
		server.spoilWith(func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(answer.status)
			_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>full</Message></Error>", answer.code)
			return true
		})
		err := s.Put(t.Context(), pack, 4, strings.NewReader("pack"))
		if !errors.Is(err, errFull) {
			t.Errorf("Put answered %d %s = %v; want %v", answer.status, answer.code, err, errFull)
		}
	}
}
