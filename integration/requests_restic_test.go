package integration

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// requestsSince is how many requests a gateway has answered since a mark in its log.
func (s *served) requestsSince(mark int) int {
	n := 0
	for _, line := range s.log.all()[mark:] {
		if strings.Contains(line, `"msg":"request"`) {
			n++
		}
	}
	return n
}

const strays = 60

// strayPacks uploads packs that no index names.
func (s *served) strayPacks(t *testing.T) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(8)
	for range strays {
		content, name := blob(500)
		group.Go(func() error {
			answer, err := s.node().do(t.Context(), http.MethodPost, "/"+moreDest+"/"+mailRepo+"/data/"+name, bytes.NewReader(content))
			if err == nil && answer.status != http.StatusOK {
				err = fmt.Errorf("an upload was answered %d", answer.status)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestRequestsOfRestic has restic do its work on S3, and compares how much the gateway asked
// of that with what restic asked of the gateway: a request for each, beside a few for a command.
func TestRequestsOfRestic(t *testing.T) {
	t.Parallel()
	s := startMinIO(t)
	c := newCluster(t)
	c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
	g := s.gateway(t, c)
	node := newRestic(t, "RESTIC_0_18", g.url+"/"+moreDest, mailRepo, "node/1")
	node.seed(t, 2)
	source := t.TempDir()
	content := make([]byte, 40<<20) // two packs and a bit
	_, _ = rand.NewChaCha8([32]byte{}).Read(content)
	if err := os.WriteFile(filepath.Join(source, "file"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args   []string
		before func()
		more   int // requests of the gateway's own
	}{
		// What the storage can do is found out, and who saved the snapshot is noted.
		{args: []string{"backup", source}, more: 10},
		{args: []string{"check", "--read-data"}, more: 2},
		{args: []string{"restore", "latest", "--target", t.TempDir()}, more: 2},
		{args: []string{"prune"}, before: func() { g.strayPacks(t) }, more: 4}, // marks are listed
	} {
		if step.before != nil {
			step.before()
		}
		node.cache = t.TempDir()
		mark, asked := g.log.mark(), s.link.requests.Load()
		node.run(t, step.args...)
		restic, gateway := g.requestsSince(mark), int(s.link.requests.Load()-asked)
		t.Logf("%s: %d requests of restic's, %d of the gateway's", step.args[0], restic, gateway)
		if gateway > restic+step.more {
			t.Errorf("%s: %d requests of S3 for %d of restic's, want %d more at most", step.args[0], gateway, restic, step.more)
		}
		if step.before != nil && restic < strays {
			t.Errorf("%s: %d requests: it left the %d packs that no index names", step.args[0], restic, strays)
		}
	}
}
