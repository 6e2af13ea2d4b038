package remote

import (
	"bytes"
	"errors"
	"io"
	iofs "io/fs"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"
)

// TestAnObjectThatAnotherGatewayUploadsIsNotWaitedFor: MinIO answers no question about an
// object before its upload ends. One that lists have is waited for, however long it takes.
func TestAnObjectThatAnotherGatewayUploadsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := open(t, server.section(), server.makeBucket(t))
	lock, locked := namedIn("locks", "a lock", 160)
	putNew(t, s, lock, locked)
	if !s.Preserves() {
		t.Fatal("nothing was proven")
	}
	s.soon = time.Millisecond
	name, content := namedIn("data/ab", "a pack", 300)
	isAsked := func(r *http.Request) bool {
		return r.Method != http.MethodPut && path.Base(r.URL.Path) == path.Base(name)
	}

	ended := make(chan struct{})
	defer close(ended)
	server.spoilWith(func(_ http.ResponseWriter, r *http.Request) bool {
		if !isAsked(r) {
			return false
		}
		select {
		case <-r.Context().Done():
		case <-ended:
		}
		return true
	})
	if _, err := s.Stat(t.Context(), name); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("Stat: %v", err)
	}
	for _, n := range []int64{-1, 0, 10} {
		if _, _, err := s.Open(t.Context(), name, 0, n); !errors.Is(err, iofs.ErrNotExist) {
			t.Errorf("Open of %d bytes: %v", n, err)
		}
	}

	server.spoilWith(nil)
	putNew(t, s, name, content)
	listed := make(chan struct{}, 100)
	server.spoilWith(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("prefix") || strings.HasSuffix(r.URL.Path, "/ab") {
			listed <- struct{}{}
		}
		if isAsked(r) {
			<-listed
		}
		return false
	})
	if info, err := s.Stat(t.Context(), name); err != nil || info.Size() != int64(len(content)) {
		t.Errorf("Stat of what is there: %v, %v", info, err)
	}
	body, size, err := s.Open(t.Context(), name, 0, -1)
	if err != nil {
		t.Fatalf("Open of what is there: %v", err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if err != nil || size != int64(len(content)) || !bytes.Equal(got, content) {
		t.Errorf("read %d of %d bytes, %v", len(got), size, err)
	}
}
