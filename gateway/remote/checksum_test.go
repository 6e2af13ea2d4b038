package remote

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// bucketHTTP is a bucket that takes every upload. Look is shown each PUT and answers
// it where it wants to.
func bucketHTTP(tb testing.TB, look func(w http.ResponseWriter, r *http.Request, content []byte) (done bool)) (url string) {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		content, err := io.ReadAll(r.Body)
		if err != nil || !look(w, r, content) {
			w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
			w.WriteHeader(http.StatusOK)
		}
	}))
	tb.Cleanup(server.Close)
	return server.URL
}

// refuseS3 answers as S3 does.
func refuseS3(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, message)
}

// named returns content and the name of an object that holds it.
func named(size int) (name string, content []byte) {
	content = bytes.Repeat([]byte("0123456789abcdef"), size/16)
	sum := sha256.Sum256(content)
	return fmt.Sprintf("%s/data/%x/%x", repo, sum[:1], sum), content
}

// TestUploadsCarryTheirChecksum looks at what providers of each kind get: Object Lock
// refuses uploads without.
func TestUploadsCarryTheirChecksum(t *testing.T) {
	t.Parallel()
	pack, packed := named(2 << 20)
	lock, locked := named(160)
	config := repo + "/config"
	for _, provider := range []string{"AWS", "Minio", "Other", "Ceph", "Wasabi", "Rclone"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			url := bucketHTTP(t, func(_ http.ResponseWriter, r *http.Request, content []byte) bool {
				requests.Add(1)
				sum := sha256.Sum256(content)
				want := base64.StdEncoding.EncodeToString(sum[:])
				if got := r.Header.Get("X-Amz-Checksum-Sha256"); got != want {
					t.Errorf("%s: checksum %q, want %q", r.URL.Path, got, want)
				}
				if !strings.Contains(r.Header.Get("Authorization"), "x-amz-checksum-sha256") {
					t.Errorf("%s: the checksum is not signed: %s", r.URL.Path, r.Header.Get("Authorization"))
				}
				if r.ContentLength != int64(len(content)) || r.Header.Get("Content-Encoding") != "" {
					t.Errorf("%s: %d bytes are announced and %d came, encoded as %q", r.URL.Path, r.ContentLength, len(content), r.Header.Get("Content-Encoding"))
				}
				return false
			})
			section := s3Section(url)
			section["provider"] = provider
			section["region"] = "eu-west-1"
			s := open(t, section, "bucket/backups")
			for name, content := range map[string][]byte{pack: packed, lock: locked, config: []byte("a config")} {
				// As it comes from the network: nothing that could be read twice.
				body := struct{ io.Reader }{bytes.NewReader(content)}
				if err := s.Put(t.Context(), name, int64(len(content)), body); err != nil {
					t.Errorf("Put(%s): %v", name, err)
				}
			}
			// The first small one is sent twice, to prove what becomes of it.
			if n := requests.Load(); n != 4 {
				t.Errorf("%d requests for 3 uploads", n)
			}
		})
	}
}

// TestAStorageWithoutChecksumsIsServed falls back, at the first refusal, to uploads
// without them, and repeats nothing but that one.
func TestAStorageWithoutChecksumsIsServed(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]struct {
		status        int
		code, message string
	}{
		"as Backblaze did": {http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented."},
		"by the header":    {http.StatusBadRequest, "InvalidArgument", "Unsupported header 'x-amz-sdk-checksum-algorithm' received for this API call."},
		"by the checksum":  {http.StatusBadRequest, "InvalidRequest", "Checksum algorithm is not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var taken, refused atomic.Int32
			var refuses atomic.Bool
			url := bucketHTTP(t, func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				if !refuses.Load() {
					return false
				}
				if r.Header.Get("X-Amz-Checksum-Sha256") == "" {
					taken.Add(1)
					return false
				}
				refused.Add(1)
				refuseS3(w, refusal.status, refusal.code, refusal.message)
				return true
			})
			s := open(t, s3Section(url), "bucket")
			lock, content := named(160)
			put := func() error { return s.Put(t.Context(), lock, int64(len(content)), bytes.NewReader(content)) }
			// The first is sent twice, and both are taken: it knows no conditions either.
			if err := put(); err != nil {
				t.Fatal(err)
			}
			refuses.Store(true)
			// The answer makes whoever asked repeat it.
			if err := put(); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("the first: %v", err)
			}
			for range 2 {
				if err := put(); err != nil {
					t.Error(err)
				}
			}
			if taken.Load() != 2 || refused.Load() != 1 {
				t.Errorf("%d taken and %d refused; want 2 and 1", taken.Load(), refused.Load())
			}
		})
	}
}

// TestOtherRefusalsKeepTheChecksums makes sure that what has another cause does not
// end them.
func TestOtherRefusalsKeepTheChecksums(t *testing.T) {
	t.Parallel()
	var refuse func(w http.ResponseWriter)
	url := bucketHTTP(t, func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Header.Get("X-Amz-Checksum-Sha256") == "" {
			t.Error("an upload without a checksum")
		}
		refuse(w)
		return true
	})
	s := open(t, s3Section(url), "bucket")
	lock, content := named(160)
	for _, refusal := range []struct {
		status        int
		code, message string
	}{
		{http.StatusBadRequest, "XAmzContentChecksumMismatch", "The provided 'x-amz-checksum' header does not match what was computed."},
		{http.StatusBadRequest, "BadDigest", "The checksum you specified did not match what we received."},
		{http.StatusBadRequest, "InvalidArgument", "The specified storage class is not valid."},
		{http.StatusForbidden, "AccessDenied", "Access denied, whatever the checksum."},
		{http.StatusInternalServerError, "InternalError", "We met a header."},
	} {
		refuse = func(w http.ResponseWriter) { refuseS3(w, refusal.status, refusal.code, refusal.message) }
		if err := s.Put(t.Context(), lock, int64(len(content)), bytes.NewReader(content)); err == nil {
			t.Errorf("%s: stored", refusal.code)
		}
	}
}

// TestChecksumsCanBeSwitchedOff leaves the headers of uploads as rclone makes them.
func TestChecksumsCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	url := bucketHTTP(t, func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		if got := r.Header.Get("X-Amz-Checksum-Sha256"); got != "" {
			t.Errorf("checksum %q", got)
		}
		return false
	})
	section := s3Section(url)
	section["disable_checksum"] = "true"
	s := open(t, section, "bucket")
	lock, content := named(160)
	if err := s.Put(t.Context(), lock, int64(len(content)), bytes.NewReader(content)); err != nil {
		t.Error(err)
	}
}

// BenchmarkUpload counts the processor time of this process for a pack, that of the
// server within included, with checksums and without.
func BenchmarkUpload(b *testing.B) {
	pack, content := named(16 << 20)
	for _, disable := range []string{"true", "false"} {
		b.Run("disable_checksum="+disable, func(b *testing.B) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
			}))
			b.Cleanup(server.Close)
			section := s3Section(server.URL)
			section["disable_checksum"] = disable
			s, err := Open(b.Context(), "bench", section, "bucket", Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(content)))
			before := cpuTime(b)
			for b.Loop() {
				body := struct{ io.Reader }{bytes.NewReader(content)}
				if err := s.Put(b.Context(), pack, int64(len(content)), body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

func cpuTime(b *testing.B) int64 {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
