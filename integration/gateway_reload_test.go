package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// watchedConn notes that the other side ended the connection. How many connections a
// client makes tells less: net/http gives one up where a request took its time to be
// written.
type watchedConn struct {
	net.Conn
	closed atomic.Bool // by this side
	ended  *atomic.Int32
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !c.closed.Load() {
		c.ended.Add(1)
	}
	return n, err
}

func (c *watchedConn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// watchedClient keeps one connection, and counts in ended those that the server ended.
func watchedClient(ended *atomic.Int32) *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxConnsPerHost: 1,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &watchedConn{Conn: conn, ended: ended}, nil
		},
	}}
}

// TestReloadsDropNothing changes destinations and modules under clients that
// never pause.
func TestReloadsDropNothing(t *testing.T) {
	t.Parallel()
	const clients, rounds = 32, 50
	c := newCluster(t)
	addS3Destination(t, c, moreDest)
	g := c.serve(t)
	g.log.want(t, "subscribed to Redis events")
	for _, dest := range []string{localDest, moreDest} {
		for _, module := range []string{"mail1", "wiki7"} {
			repo := map[string]string{"mail1": mailRepo, "wiki7": wikiRepo}[module]
			g.module(module).want(t, http.StatusOK, http.MethodPost, "/"+dest+"/"+repo+"/?create=true", nil)
			g.module(module).want(t, http.StatusOK, http.MethodPost, "/"+dest+"/"+repo+"/config", aConfig)
		}
	}

	var work sync.WaitGroup
	defer work.Wait()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var requests, ended atomic.Int32
	for i := range clients {
		user, repo := "module/mail1", mailRepo
		if i%2 == 1 {
			user, repo = "module/wiki7", wikiRepo
		}
		dest := localDest
		if i%4 >= 2 {
			dest = moreDest
		}
		busy := &busyClient{caller: callerOf(g.url, user), base: "/" + dest + "/" + repo + "/data/", requests: &requests}
		busy.client = watchedClient(&ended)
		work.Go(func() {
			if err := busy.run(ctx, int64(i)); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}

	// The churn has a connection of its own.
	mark := g.log.mark()
	churn := callerOf(g.url, "node/1")
	churn.client = watchedClient(&ended)
	defer churn.client.CloseIdleConnections()
	for round := 0; round < rounds || requests.Load() < 10*clients && !t.Failed(); round++ {
		turn(t, c, churn, round)
	}
	g.log.wantFrom(t, mark, "loaded from Redis", `"retired":`)
	stop()
	work.Wait()

	if got := ended.Load(); got > 0 {
		t.Errorf("the gateway ended %d connections", got)
	}
	t.Logf("%d requests", requests.Load())
}

// turn adds, changes and removes a destination and a module. Every tenth round
// waits until the gateway knows, and uses what it changes.
func turn(t *testing.T, c *cluster, node caller, round int) {
	t.Helper()
	id := fmt.Sprintf("cccccccc-0000-4000-8000-%012d", round)
	module := redistest.Module{ID: fmt.Sprintf("churn%d", round+1), UUID: id}
	path := "/" + id + "/churn/" + id
	use := round%10 == 0

	c.AddModules(module)
	c.AddLocalDestination(id, t.TempDir())
	if use {
		node.want(t, http.StatusOK, http.MethodPost, path+"/?create=true", nil)
		node.want(t, http.StatusOK, http.MethodPost, path+"/config", aConfig)
		node.with("module/"+module.ID, redistest.Password("module/"+module.ID)).
			want(t, http.StatusOK, http.MethodHead, path+"/config", nil)
	}
	c.AddLocalDestination(id, t.TempDir())
	if use {
		waitFor(t, "the destination to have changed", func() bool {
			return node.call(t, http.MethodHead, path+"/config", nil).status != http.StatusOK
		})
	}
	c.RemoveDestination(id)
	c.RemoveModule(module.ID)
}

// busyClient uploads, asks and downloads over one connection that it keeps.
type busyClient struct {
	caller
	base     string
	requests *atomic.Int32
}

func (b *busyClient) run(ctx context.Context, seed int64) error {
	defer b.client.CloseIdleConnections()
	size := 1000 + seed*2000
	for ctx.Err() == nil {
		if err := b.round(context.WithoutCancel(ctx), size); err != nil {
			return err
		}
	}
	return nil
}

func (b *busyClient) round(ctx context.Context, size int64) error {
	content, err := io.ReadAll(io.LimitReader(rand.Reader, size))
	if err != nil {
		return err
	}
	target := b.base + nameOf(content)
	for _, step := range []struct {
		method string
		body   io.Reader
		want   []byte
	}{
		{http.MethodPost, bytes.NewReader(content), nil},
		{http.MethodHead, nil, nil},
		{http.MethodGet, nil, content},
	} {
		answer, err := b.do(ctx, step.method, target, step.body)
		if err != nil {
			return err
		}
		if answer.status != http.StatusOK || !bytes.Equal(answer.body, step.want) {
			return fmt.Errorf("%s %s: %d, %d bytes", step.method, target, answer.status, len(answer.body))
		}
		b.requests.Add(1)
	}
	return nil
}

// TestManyDestinationsFitIntoMemory serves 1,000 destinations, none of them open,
// and 10,000 modules.
func TestManyDestinationsFitIntoMemory(t *testing.T) {
	t.Parallel()
	const limit = 150 << 10 // KiB
	var users, uuids []any
	c := newCluster(t)
	// Redis itself need not know the modules' users, which takes it long.
	lines := c.Admin().SMembers(t.Context(), catalog.ACLs).Val()
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "user module/mail1 ") })
	if i < 0 {
		t.Fatalf("no user of a module in %q", lines)
	}
	for n := range 10_000 {
		id := fmt.Sprintf("app%d", n+1)
		users = append(users, strings.ReplaceAll(lines[i], "module/mail1", "module/"+id))
		uuids = append(uuids, id, destinationID("eeeeeeee", n))
	}
	c.Do(append([]any{"SADD", catalog.ACLs}, users...)...)
	c.Do(append([]any{"HSET", catalog.ModuleUUID}, uuids...)...)
	destinations := make([]redistest.Destination, 1000)
	for i := range destinations {
		destinations[i] = s3Destination(destinationID("ffffffff", i), "https://s3.example.org")
	}
	c.AddDestinations(destinations...)
	d := c.start(t)
	d.out.want(t, "loaded from Redis", `"users":10003`, `"destinations":1001`)
	for _, change := range []func(){func() { c.RemoveDestination(destinations[0].ID) }, func() { c.AddDestinations(destinations[0]) }} {
		mark := d.out.mark()
		change()
		d.out.wantFrom(t, mark, "loaded from Redis")
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		testenv.Missing(t, "the memory of a process cannot be read here: %v", err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(peak)[0])
	if err != nil || kib > limit {
		t.Errorf("at most it had %d KiB, %v; want no more than %d", kib, err, limit)
	}
	t.Logf("at most it had %d MiB", kib>>10)
}
