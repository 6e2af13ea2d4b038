package integration

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// tokenServer gives tokens, of which each refreshes once: what is not kept is lost.
type tokenServer struct {
	*httptest.Server

	mu   sync.Mutex
	good map[string]int // the number of the refresh token that is good, by path
	lost []string       // who came with another one
}

func newTokenServer(t *testing.T) *tokenServer {
	t.Helper()
	s := &tokenServer{good: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		who := strings.TrimPrefix(r.URL.Path, "/")
		if r.FormValue("refresh_token") != refreshToken(who, s.good[who]) {
			s.lost = append(s.lost, who)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
			return
		}
		s.good[who]++
		// It expires at once, so that the next use refreshes it.
		_, _ = fmt.Fprintf(w, `{"access_token":"access","token_type":"bearer","expires_in":1,"refresh_token":%q}`, refreshToken(who, s.good[who]))
	}))
	t.Cleanup(s.Close)
	return s
}

func refreshToken(who string, n int) string { return "refresh-" + who + "-" + strconv.Itoa(n) }

func (s *tokenServer) current(who string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.good[who]
}

// TestRefreshedTokensOfTheGreatDrivesSurviveARestart has rclone's backends of
// providers that want OAuth refresh their tokens, in three processes one after the
// other. The providers themselves are out of reach, behind a proxy that refuses.
func TestRefreshedTokensOfTheGreatDrivesSurviveARestart(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	server := newTokenServer(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	t.Cleanup(proxy.Close)
	more := map[string]string{
		"drive": "scope = drive\nroot_folder_id = root\n", "onedrive": "drive_id = d\ndrive_type = business\n",
		"dropbox": "", "box": "root_folder_id = 0\n",
	}
	ids := map[string]string{}
	for kind, options := range more {
		id := destinationID("dddddddd", len(ids))
		ids[kind] = id
		c.AddDestinations(redistest.Destination{
			ID: id, Name: kind, Provider: "rclone", URL: "rclone:" + kind + ":x:backups", BasePath: "backups",
			RcloneConf: fmt.Sprintf("[%s]\ntype = %s\nclient_id = client\nclient_secret = %s\ntoken_url = %s/%s\ntoken = {\"access_token\":\"access\",\"token_type\":\"bearer\",\"refresh_token\":%q,\"expiry\":\"2001-01-01T00:00:00Z\"}\n%s",
				id, kind, sectionSecret, server.URL, kind, refreshToken(kind, 0), options),
		})
	}
	for start := range 3 {
		// A user that may write the sections, as a node's own may not.
		cmd := c.command(t, "serve", "--addr", "127.0.0.1:0", "--redis-writer-user", redistest.AdminUser)
		cmd.Env = append(cmd.Env, "HTTPS_PROXY="+proxy.URL, "HTTP_PROXY="+proxy.URL, "REDIS_WRITER_PASSWORD="+redistest.Password(redistest.AdminUser))
		d := c.startCommand(t, cmd)
		d.out.want(t, "loaded from Redis")
		var asked sync.WaitGroup
		for kind, id := range ids {
			before := server.current(kind)
			asked.Go(func() {
				answer, err := d.module("mail1").do(t.Context(), http.MethodHead, "/"+id+"/"+mailRepo+"/config", nil)
				if err != nil || answer.status != http.StatusBadGateway && answer.status != http.StatusServiceUnavailable {
					t.Errorf("%s: %v, %v; want 502 or 503", kind, answer, err)
				}
				if server.current(kind) == before {
					t.Errorf("%s: start %d refreshed no token", kind, start)
				}
			})
		}
		asked.Wait()
		for kind, id := range ids {
			waitFor(t, "the token of "+kind+" in Redis", func() bool {
				conf, _ := c.Do("HGET", catalog.RcloneConf, id).(string)
				return strings.Contains(conf, `"`+refreshToken(kind, server.current(kind))+`"`)
			})
		}
		d.signal(t, syscall.SIGTERM)
		if code := d.wait(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if text := strings.Join(d.out.all(), "\n"); strings.Contains(text, "refresh-") {
			t.Error("the log holds a token")
		}
	}
	if len(server.lost) > 0 {
		t.Errorf("tokens were lost: %v", server.lost)
	}
}
