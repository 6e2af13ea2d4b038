package peer

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// route returns the node that a request goes to, "" where it stays.
func (w *world) route(t *testing.T, destination string, local, hopped bool) string {
	t.Helper()
	link, err := w.Route(w.view, w.view.Mounts[destination], local, hopped)
	if err != nil {
		t.Fatal(err)
	}
	if link == nil {
		return ""
	}
	return link.Node
}

func (w *world) lose(t *testing.T, destination string) {
	t.Helper()
	w.view.Mounts[destination].Guard.Ended(t.Context(), fmt.Errorf("%w: no route to host", storage.ErrUnavailable))
}

var well = peerThat("9", nil)

func TestOnlyWhatThisNodeDoesNotReachGoesToAPeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place(t, "10.5.4.2", well)
	w.place(t, "10.5.4.3", well)
	if got := w.route(t, inCloud, true, false); got != "" {
		t.Errorf("a destination that was never asked goes to node %s", got)
	}
	w.lose(t, inCloud)
	if got := w.route(t, inCloud, true, false); got != "" {
		t.Errorf("goes to node %s, of which nothing is known", got)
	}
	w.settle(t)
	if got := w.route(t, inCloud, true, false); got != "3" {
		t.Errorf("goes to node %q, want the leader", got)
	}
	if got := w.route(t, inCloud, false, false); got != "" {
		t.Errorf("another node's request goes to node %s", got)
	}
	if got := w.route(t, inCloud, true, true); got != "" {
		t.Errorf("a request that was passed on goes to node %s", got)
	}
	w.link("3", "10.5.4.3:4694", inCloud).lost(errors.New("cut"))
	if got := w.route(t, inCloud, true, false); got != "2" {
		t.Errorf("without the leader: node %q, want 2", got)
	}
	w.view.Mounts[inCloud].Guard.Ended(t.Context(), nil)
	if got := w.route(t, inCloud, true, false); got != "" {
		t.Errorf("what is reached again goes to node %s", got)
	}
}

func TestALoopIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Route(w.view, w.view.Mounts[onNode2], false, true)
	if !errors.Is(err, refusal.ErrLoop) || refusal.Status(err) != http.StatusLoopDetected {
		t.Errorf("%v", err)
	}
}

// TestADirectoryNeedsProof: the same path is another disk on each node, whatever a
// peer claims.
func TestADirectoryNeedsProof(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, node, proof, want string
	}{
		{"the same", "3", ourProof, "3"},
		{"another", "3", "another disk", ""},
		{"none", "3", "", ""},
		{"HAProxy and rclone", "", "", ""},
		{"HAProxy that repeats headers", "", ourProof, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.place(t, "10.5.4.3", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				if tt.node != "" {
					rw.Header().Set(HeaderGateway, tt.node)
				}
				rw.Header().Set(HeaderStorage, tt.proof)
				rw.WriteHeader(http.StatusNotFound)
			}))
			if _, err := w.view.Mounts[onDisk].Acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer w.view.Mounts[onDisk].Release()
			w.lose(t, onDisk)
			_ = w.route(t, onDisk, true, false) // so that the peers are wanted
			w.settle(t)
			if got := w.route(t, onDisk, true, false); got != tt.want {
				t.Errorf("goes to node %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAPeerThatMovesIsAskedAtItsNewAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.link("2", "10.5.4.2:4694", onNode2)
	first.lost(errors.New("gone"))
	if second := w.link("2", "10.5.4.9:4694", onNode2); second == first || !second.state.Up() {
		t.Error("what is known of the old address holds for the new one")
	}
}
