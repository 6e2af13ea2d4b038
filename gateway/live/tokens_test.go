package live

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
	_ "github.com/rclone-gateway/rclone-gateway/gateway/remote/gcs" // its token server can be a test's
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// oauth is a storage of Google's with a token server that honours each refresh
// token once: what is not kept is lost.
type oauth struct {
	url string

	mu      sync.Mutex
	current int // the number of the refresh token that is good
}

func newOAuth(t *testing.T) *oauth {
	t.Helper()
	o := &oauth{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if r.FormValue("refresh_token") != fmt.Sprintf("refresh-%d", o.current) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
			return
		}
		o.current++
		w.Header().Set("Content-Type", "application/json")
		// It expires at once, so that each request refreshes it.
		_, _ = fmt.Fprintf(w, `{"access_token":"access-%d","refresh_token":"refresh-%[1]d","token_type":"bearer","expires_in":1}`, o.current)
	})
	mux.HandleFunc("GET /b/bucket/o/{object}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"name":"object","size":"7","updated":"2026-01-01T00:00:00Z"}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

// good is the refresh token that is good now.
func (o *oauth) good() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return fmt.Sprintf("refresh-%d", o.current)
}

func oldToken(n int) string {
	return fmt.Sprintf(`{"access_token":"access-%d","refresh_token":"refresh-%[1]d","expiry":"2001-01-01T00:00:00Z"}`, n)
}

func (o *oauth) section(id, token string) string {
	return fmt.Sprintf("[%s]\ntype = google cloud storage\nendpoint = %s\nclient_id = client\nclient_secret = client-secret\ntoken_url = %[2]s/token\ntoken = %[3]s\n", id, o.url, token)
}

// tokenCluster is a Redis with a destination that needs OAuth.
type tokenCluster struct {
	*redistest.Server
	oauth *oauth
	state string
}

func newTokenCluster(t *testing.T) *tokenCluster {
	t.Helper()
	c := &tokenCluster{redistest.Start(t), newOAuth(t), t.TempDir()}
	c.SetupNS8()
	c.AddDestinations(redistest.Destination{
		ID: destID, Name: "drive", Provider: "rclone", URL: "rclone:gcs:x:bucket", BasePath: "bucket", RcloneConf: c.oauth.section(destID, oldToken(0)),
	})
	return c
}

// safeBuffer may be written while it is read.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs a gateway as node 1, whose tokens are written by the user writer.
func (c *tokenCluster) start(t *testing.T, writer string) (s *State, log *safeBuffer, stop func()) {
	t.Helper()
	log = &safeBuffer{}
	redis := catalog.Redis{Address: c.Addr, Username: "node/1", Password: redistest.Password("node/1")}
	w := redis.WithUser(writer, redistest.Password(writer))
	s, err := New(Options{
		Source: Source{
			Redis: redis, Writer: &w, Load: catalog.LoadOptions{NodeID: "1"}, StateDir: c.state,
			Log: slog.New(slog.NewTextHandler(log, nil)),
		},
		RefreshInterval: refreshInterval, MaxStale: maxStale,
		Changed: func(bool) {}, Loaded: func(time.Duration, error) {},
		Opened: func(*catalog.Destination) func() { return func() {} },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	if _, err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, log, stop
}

// stat uses the destination once, which refreshes its token.
func stat(t *testing.T, g *State) {
	t.Helper()
	statOn(t, g, destID)
}

func statOn(t *testing.T, g *State, id string) {
	t.Helper()
	s := g.Current().Mounts[id]
	opened, err := s.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	if info, err := opened.Stat(t.Context(), "object"); err != nil || info.Size() != 7 {
		t.Fatalf("Stat = %v, %v", info, err)
	}
}

// inRedis reports whether Redis holds that refresh token.
func (c *tokenCluster) inRedis(token string) bool {
	conf, _ := c.Do("HGET", catalog.RcloneConf, destID).(string)
	return strings.Contains(conf, `"`+token+`"`)
}

func TestRefreshedTokenIsWrittenBackAndTheStoreStaysOpen(t *testing.T) {
	t.Parallel()
	c := newTokenCluster(t)
	g, log, stop := c.start(t, redistest.AdminUser)
	before := g.Current().Mounts[destID]
	for range 3 {
		stat(t, g)
		testenv.Until(t, time.Minute, "the token in Redis", func() bool { return c.inRedis(c.oauth.good()) })
		if _, err := g.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if g.Current().Mounts[destID] != before {
			t.Fatal("the store was opened again for a token of its own")
		}
	}
	conf, _ := c.Do("HGET", catalog.RcloneConf, destID).(string)
	if name, section, err := rcloneconf.Parse(conf); err != nil || name != destID || section["client_secret"] != "client-secret" {
		t.Errorf("the section became %q, %v", conf, err)
	}
	stop()
	again, _, _ := c.start(t, redistest.AdminUser)
	stat(t, again)
	if text := log.String(); strings.Contains(text, "refresh-") || strings.Contains(text, "access-") {
		t.Errorf("the log holds a token:\n%s", text)
	}
}

func TestRefreshedTokenOfAReaderSurvivesInTheStateDirectory(t *testing.T) {
	t.Parallel()
	c := newTokenCluster(t)
	g, log, stop := c.start(t, "node/1")
	stat(t, g)
	testenv.Until(t, time.Minute, "the refusal in the log", func() bool { return strings.Contains(log.String(), "no permission to write a refreshed token") })
	if _, err := g.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	stat(t, g)
	stop()
	if !c.inRedis("refresh-0") {
		t.Error("a node wrote the sections")
	}
	again, _, stop := c.start(t, "node/1")
	stat(t, again)
	stop()
	// Once it may write, what was kept comes to Redis.
	last, _, _ := c.start(t, redistest.AdminUser)
	stat(t, last)
	testenv.Until(t, time.Minute, "the token in Redis", func() bool { return c.inRedis(c.oauth.good()) })
}

func TestTokenOfAnAdministratorIsNotOverwritten(t *testing.T) {
	t.Parallel()
	c := newTokenCluster(t)
	g, _, _ := c.start(t, redistest.AdminUser)
	stat(t, g)
	testenv.Until(t, time.Minute, "the token in Redis", func() bool { return c.inRedis(c.oauth.good()) })
	before := g.Current().Mounts[destID]
	const authorised = `{"access_token":"a","refresh_token":"by-hand","expiry":"2001-01-01T00:00:00Z"}`
	c.Do("HSET", catalog.RcloneConf, destID, c.oauth.section(destID, authorised))
	g.tokens.note(tokenKey{destID, "token"}, oldToken(0), oldToken(99))
	if !g.tokens.writeAll(t.Context()) || !c.inRedis("by-hand") {
		t.Error("the administrator's token was overwritten")
	}
	if _, err := g.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := g.Current().Mounts[destID]; after == before || !strings.Contains(after.Destination.Section["token"], "by-hand") {
		t.Error("the store was not opened again with the administrator's token")
	}
}

func TestTokenIsWrittenOnceRedisIsBack(t *testing.T) {
	t.Parallel()
	c := newTokenCluster(t)
	g, log, _ := c.start(t, redistest.AdminUser)
	stat(t, g)
	testenv.Until(t, time.Minute, "the token in Redis", func() bool { return c.inRedis(c.oauth.good()) })
	c.Stop()
	stat(t, g)
	testenv.Until(t, time.Minute, "a failure in the log", func() bool { return strings.Contains(log.String(), "trying again") })
	c.Restart()
	testenv.Until(t, time.Minute, "the token in Redis", func() bool { return c.inRedis(c.oauth.good()) })
}

// Rclone opens by itself what a remote is built on. Not parallel: its storage of
// sections is that of the whole process.
func TestRefreshedTokenOfAFoundationIsWrittenBack(t *testing.T) {
	c := newTokenCluster(t)
	const alias = "4d924319-154e-5686-b2d5-6849ca2486fc"
	c.AddDestinations(redistest.Destination{
		ID: alias, Name: "alias", Provider: "rclone", URL: "rclone:alias:x:",
		RcloneConf: "[" + alias + "]\ntype = alias\nremote = " + destID + ":bucket\n",
	})
	g, _, stop := c.start(t, redistest.AdminUser)
	statOn(t, g, alias)
	testenv.Until(t, time.Minute, "the token in Redis", func() bool { return c.oauth.good() != "refresh-0" && c.inRedis(c.oauth.good()) })
	before := g.Current().Mounts[alias]
	if _, err := g.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g.Current().Mounts[alias] != before {
		t.Error("the store was opened again for a token of its foundation's own")
	}
	stop()
}

func TestDamagedTokenFileIsNotIgnored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := atomicfile.Write(dir+"/"+tokensFile, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newTokens(nil, dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("%v", err)
	}
}

func TestAProcessThatOpensOnceKeepsRefreshedTokens(t *testing.T) {
	t.Parallel()
	c := newTokenCluster(t)
	src := Source{
		Redis: catalog.Redis{Address: c.Addr, Username: "node/1", Password: redistest.Password("node/1")},
		Load:  catalog.LoadOptions{NodeID: "1"}, StateDir: c.state, Log: discard,
	}
	writer := src.Redis.WithUser(redistest.AdminUser, redistest.Password(redistest.AdminUser))
	src.Writer = &writer
	for range 2 { // the second time with a token that the first wrote
		before := c.oauth.good()
		snapshot, open, done, err := Once(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		store, closer, err := open(t.Context(), snapshot.Destinations[destID])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Stat(t.Context(), "object"); err != nil {
			t.Error(err)
		}
		_ = closer.Close()
		done(t.Context())
		if good := c.oauth.good(); good == before || !c.inRedis(good) {
			t.Errorf("Redis does not hold the token %s, that was %s before", good, before)
		}
	}
}

// TestWhatABackendLearnsKeepsItsStoreOpen is about keys that the section did not have: SFTP
// stores the type of the shell that it found, and its store was opened again for that.
func TestWhatABackendLearnsKeepsItsStoreOpen(t *testing.T) {
	t.Parallel()
	kept, err := newTokens(nil, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	opened := destinationOf(destID, map[string]string{"type": "sftp", "host": "nas"})
	kept.changed(opened)("shell_type", "unix")
	for _, inRedis := range []string{"", "unix", "none"} { // by then the administrator's own
		d := destinationOf(destID, map[string]string{"type": "sftp", "host": "nas"})
		if inRedis != "" {
			d.Section["shell_type"] = inRedis
		}
		kept.settle(snapshotOf(d))
		if same := d.Equal(opened); same != (inRedis != "none") {
			t.Errorf("with %q in Redis the view has %v", inRedis, d.Section)
		}
		if got := kept.latest(d).Section["shell_type"]; got != "unix" && inRedis != "none" {
			t.Errorf("with %q in Redis the store would be opened with %q", inRedis, got)
		}
	}
}
