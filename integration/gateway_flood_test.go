package integration

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

const (
	floodClients = 200
	// floodWait bounds the first request of a new module beside them. On an idle machine
	// it takes a second at most, and the loads of Redis are what is counted.
	floodWait = 20 * time.Second
)

// flood sends wrong credentials without a pause, half of them of a user who exists, until
// stop is called. It returns once all clients were refused.
func flood(t *testing.T, g *served) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: floodClients}}
	t.Cleanup(client.CloseIdleConnections)
	var flooding sync.WaitGroup
	var refused, begun atomic.Int64
	for i := range floodClients {
		user := "module/mail1"
		if i%2 == 1 {
			user = fmt.Sprintf("module/nobody%d", i)
		}
		wrong := g.node().with(user, wrongPassword)
		wrong.client = client
		flooding.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				answer, err := wrong.do(ctx, http.MethodHead, "/"+localDest+"/"+mailRepo+"/config", nil)
				switch {
				case ctx.Err() != nil:
					return
				case err != nil || answer.status != http.StatusUnauthorized:
					t.Errorf("%s with a wrong password: %v, %v; want 401", user, answer, err)
					return
				case first:
					begun.Add(1)
				}
				refused.Add(1)
			}
		})
	}
	waitFor(t, "all to be refused", func() bool { return begun.Load() == floodClients })
	return func() {
		cancel()
		flooding.Wait()
		t.Logf("%d were refused", refused.Load())
	}
}

var smembers = regexp.MustCompile(`cmdstat_smembers:calls=(\d+)`)

// userReads is how often the list of users was read from Redis.
func (c *cluster) userReads(t *testing.T) int {
	t.Helper()
	stats, err := c.Admin().Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if found := smembers.FindStringSubmatch(stats); found != nil {
		n, err = strconv.Atoi(found[1])
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestANewModuleGetsInBesideAFlood creates a module while hundreds of callers are refused:
// its first request is admitted, by the next reading of Redis, with an event and where
// nobody hears any; and Redis is read no more often than once a second for all of them.
func TestANewModuleGetsInBesideAFlood(t *testing.T) {
	t.Parallel()
	for name, hears := range map[string]bool{"with its event": true, "without events": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			if !hears {
				c.Do("ACL", "SETUSER", "default", "resetchannels", "-subscribe")
			}
			g := c.serve(t, func(opts *gateway.Options) { opts.RefreshInterval = patience * 100 })
			if hears {
				g.log.want(t, "subscribed to Redis events")
			} else {
				g.log.want(t, "no user may subscribe to Redis events")
			}
			stop := flood(t, g)
			defer stop()

			began, before := time.Now(), c.userReads(t)
			const rounds = 3
			for i := range rounds {
				module := redistest.Module{ID: fmt.Sprintf("fresh%d", i+1), UUID: fmt.Sprintf("11111111-0000-4000-8000-%012d", i)}
				c.AddModules(module)
				asked, reads := time.Now(), c.userReads(t)
				g.module(module.ID).want(t, http.StatusOK, http.MethodPost, "/"+localDest+"/fresh/"+module.UUID+"/?create=true", nil)
				took := time.Since(asked)
				if n := c.userReads(t) - reads; n > 3 || took > floodWait {
					// The one under way, the next, and what an event adds.
					t.Errorf("the first request of %s took %v and %d readings of Redis, want three at most", module.ID, took, n)
				}
				t.Logf("the first request of %s took %v", module.ID, took)
			}
			// An event has Redis read twice: the users, and everything a second later.
			allowed := int(time.Since(began)/time.Second) + 2
			if hears {
				allowed += 2 * rounds
			}
			if n := c.userReads(t) - before; n > allowed {
				t.Errorf("Redis was read %d times in %v, want %d at most", n, time.Since(began), allowed)
			}
		})
	}
}
