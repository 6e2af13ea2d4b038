//go:build unix

package gateway

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// TestRequestsAllocateLittle counts what a whole gateway allocates for a request of one
// connection, from reading it to sending the answer. What it does beside requests, such as
// looking at the clock, is less than one for each, or more where the machine is slow: the
// least of a few runs counts. The limits are a tenth above it, since the race detector drops
// some of what is pooled.
func TestRequestsAllocateLittle(t *testing.T) {
	c := benchGateway(t)
	small := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	lock := small[:160]
	name, lockName := fmt.Sprintf("%x", sha256.Sum256(small)), fmt.Sprintf("%x", sha256.Sum256(lock))
	post := c.request(http.MethodPost, "data/"+name, small, nil)
	c.send(t, post, 0)
	stored := filepath.Join(c.root, "mail", ownUUID, "data", name[:2], name)
	head := c.request(http.MethodHead, "data/"+name, nil, nil)
	get := c.request(http.MethodGet, "data/"+name, nil, http.Header{"Range": {"bytes=0-"}})
	saveLock := c.request(http.MethodPost, "locks/"+lockName, lock, nil)
	readLock := c.request(http.MethodGet, "locks/"+lockName, nil, nil)
	removeLock := c.request(http.MethodDelete, "locks/"+lockName, nil, nil)
	refused := bytes.Replace(head, []byte("Authorization: Basic "), []byte("Authorization: Basic eHh4"), 1)
	for _, tt := range []struct {
		name string
		most float64
		do   func()
	}{
		{"HEAD", 33, func() { c.send(t, head, 0) }},
		{"GET", 49, func() { c.send(t, get, len(small)) }},
		{"POST 64 KiB", 60, func() {
			if err := os.Remove(stored); err != nil {
				t.Fatal(err)
			}
			c.send(t, post, 0)
		}},
		{"POST, GET and DELETE of a lock", 136, func() {
			c.send(t, saveLock, 0)
			c.send(t, readLock, len(lock))
			c.send(t, removeLock, 0)
		}},
		{"unknown user", 46, func() { c.sendFor(t, "HTTP/1.1 401", refused, 0) }},
	} {
		got := testing.AllocsPerRun(100, tt.do)
		for range 5 {
			if got > tt.most {
				got = min(got, testing.AllocsPerRun(100, tt.do))
			}
		}
		if got > tt.most {
			t.Errorf("%s: %.0f allocations, at most %.0f are wanted", tt.name, got, tt.most)
		} else {
			t.Logf("%s: %.0f allocations", tt.name, got)
		}
	}
}
