package peer

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
)

// rclone is a node with HAProxy and rclone, as far as these tests ask: it stores whatever
// comes under whatever name.
type rclone struct {
	mu      sync.Mutex
	objects map[string][]byte // by the path below the repository
	posts   int
	listing string // what it lists, of every type
	webdav  int    // its status over WebDAV
}

func emptyRclone(w http.ResponseWriter, r *http.Request) { (&rclone{listing: "[]"}).ServeHTTP(w, r) }

func (o *rclone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, name, _ := strings.Cut(r.URL.Path, repo+"/")
	content, there := o.objects[name]
	switch {
	case o.webdav != 0 && r.Header.Get("Accept") != rest.MediaTypeV2:
		w.WriteHeader(o.webdav)
	case r.Method == http.MethodPost:
		o.posts++
		o.objects[name], _ = io.ReadAll(r.Body)
	case strings.HasSuffix(name, "/"):
		w.Header().Set("Content-Type", rest.MediaTypeV2)
		_, _ = io.WriteString(w, o.listing)
	case !there:
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = w.Write(content)
	}
}

// restic marks a request as one of restic's.
func restic(r *http.Request) *http.Request {
	r.Header.Set("Accept", rest.MediaTypeV2)
	return r
}

// TestWhatAnOldPeerHasIsNotReplaced but where that is damaged: an upload that is cut off
// would destroy it.
func TestWhatAnOldPeerHasIsNotReplaced(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("a pack", 20)
	name, job := objectJob(content)
	for _, tt := range []struct {
		what, has, sent string
		posts, code     int
	}{
		{"it has nothing", "", content, 1, 200},
		{"it has it", content, content, 0, 200},
		{"it has it, and other content is sent", content, strings.Repeat("a pick", 20), 0, 400},
		{"it has half of it", content[:3], content, 1, 200},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := &rclone{objects: map[string][]byte{}, listing: "[]"}
			if tt.has != "" {
				old.objects["data/"+name] = []byte(tt.has)
			}
			w.place(t, "10.5.4.2", peerThat("", old.ServeHTTP))
			got := w.ask(t, restic(request(t, http.MethodPost, job, strings.NewReader(tt.sent))), job)
			if got.code != tt.code || old.posts != tt.posts || !bytes.Equal(old.objects["data/"+name], []byte(content)) {
				t.Errorf("%d (%v) after %d uploads; it has %q", got.code, got.err, old.posts, old.objects)
			}
		})
	}
}

// TestAConfigIsComparedWithAnOldPeers, who would take any.
func TestAConfigIsComparedWithAnOldPeers(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("a config", 20)
	for _, tt := range []struct {
		what, has, sent, snapshots string
		node                       bool
		posts, code                int
	}{
		{"there is none", "", content, "[]", false, 1, 200},
		{"it is the same", content, content, `[{"name":"00","size":1}]`, false, 0, 200},
		{"it is another, from a module", content, strings.Repeat("another", 20), "[]", false, 0, 403},
		{"it is another, from a node", content, strings.Repeat("another", 20), "[]", true, 1, 200},
		{"404 in a repository with snapshots", "", content, `[{"name":"00","size":1}]`, false, 0, 502},
		{"nothing is sent", "", "", "[]", false, 0, 400},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := &rclone{objects: map[string][]byte{}, listing: tt.snapshots}
			if tt.has != "" {
				old.objects["config"] = []byte(tt.has)
			}
			w.place(t, "10.5.4.2", peerThat("", old.ServeHTTP))
			_, job := objectJob("x")
			job.Type, job.Name, job.Node = object.Config, "", tt.node
			got := w.ask(t, restic(request(t, http.MethodPost, job, strings.NewReader(tt.sent))), job)
			if got.code != tt.code || old.posts != tt.posts {
				t.Errorf("%d (%v) after %d uploads; want %d after %d", got.code, got.err, old.posts, tt.code, tt.posts)
			}
		})
	}
}

// aKey is a key as restic writes it.
var aKey = fmt.Sprintf(`{"created":"2026-11-29T20:00:00Z","username":"u","hostname":"h","kdf":"scrypt","N":32768,"r":8,"p":5,"salt":%q,"data":%q}`,
	base64.StdEncoding.EncodeToString(make([]byte, 64)), base64.StdEncoding.EncodeToString(make([]byte, 170)))

// TestKeysOfAnOldPeerAreWhatResticWrites, and a module's first one alone.
func TestKeysOfAnOldPeerAreWhatResticWrites(t *testing.T) {
	t.Parallel()
	const others = `[{"name":"00","size":1}]`
	for _, tt := range []struct {
		what, key, keys string
		node            bool
		posts, code     int
	}{
		{"the first", aKey, "[]", false, 1, 200},
		{"a second one", aKey, others, false, 0, 403},
		{"a second one, from a node", aKey, others, true, 1, 200},
		{"none", "garbage", "[]", true, 0, 400},
		{"its list fails", aKey, "[", false, 0, 502},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := &rclone{objects: map[string][]byte{}, listing: tt.keys}
			w.place(t, "10.5.4.2", peerThat("", old.ServeHTTP))
			_, job := objectJob(tt.key)
			job.Type, job.Node = object.Keys, tt.node
			got := w.ask(t, restic(request(t, http.MethodPost, job, strings.NewReader(tt.key))), job)
			if got.code != tt.code || old.posts != tt.posts {
				t.Errorf("%d (%v) after %d uploads; want %d after %d", got.code, got.err, old.posts, tt.code, tt.posts)
			}
		})
	}
}

// TestAnOldPeersListingsAreMinutesOld, so that its 404 over WebDAV does not count where
// REST shows the repository.
func TestAnOldPeersListingsAreMinutesOld(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what, repo string
		there      bool
		code       int
	}{
		{"a repository that is there", repo, true, 502},
		{"a repository that is not there", repo, false, 404},
		{"a file beside", "", true, 404},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := &rclone{objects: map[string][]byte{}, webdav: http.StatusNotFound}
			if tt.there {
				old.objects["config"] = []byte("a config")
			}
			w.place(t, "10.5.4.2", peerThat("", old.ServeHTTP))
			_, job := objectJob("x")
			r := request(t, "PROPFIND", job, nil)
			job.Restic, job.Repo, job.Name = false, tt.repo, ""
			got := w.ask(t, r, job)
			if got.code != tt.code || (tt.code == 502) != errors.Is(got.err, refusal.ErrPeerAnswer) {
				t.Errorf("%d (%v), want %d", got.code, got.err, tt.code)
			}
		})
	}
}
