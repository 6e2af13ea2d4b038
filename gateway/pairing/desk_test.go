package pairing_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/metrics"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	desk "github.com/rclone-gateway/rclone-gateway/gateway/pairing"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/pairing"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// world is a desk of node 1, whose user has the rights that NethServer 8 gives it.
type world struct {
	t     *testing.T
	redis *redistest.Server
	mux   *chi.Mux
	audit *audit.Log
}

func newWorld(t *testing.T, rdb *redistest.Server) *world {
	t.Helper()
	w := &world{t: t, redis: rdb, mux: chi.NewRouter()}
	var err error
	if w.audit, err = audit.Open(filepath.Join(t.TempDir(), "audit.log"), audit.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.audit.Close() })
	d := desk.New("1", redis.NewClient(&redis.Options{Addr: rdb.Addr, Username: "node/1", Password: redistest.Password("node/1")}),
		&access.Gate{}, func() *live.View { return nil })
	t.Cleanup(func() { _ = d.Close() })
	d.AddRoutes(w.mux, observe.New(observe.Options{
		Log: slog.New(slog.DiscardHandler), Stall: time.Minute, Metrics: metrics.New(prometheus.NewRegistry()), Audit: w.audit,
	}))
	return w
}

func newRedis(t *testing.T) *redistest.Server {
	t.Helper()
	server := redistest.Start(t)
	server.SetupNS8()
	return server
}

// offer has Redis keep settings for a new code.
func (w *world) offer(node, settings string) pairing.Code {
	w.t.Helper()
	code := pairing.New()
	record, err := json.Marshal(pairing.Record{Module: "app1", Sealed: code.Seal([]byte(settings))})
	if err != nil {
		w.t.Fatal(err)
	}
	w.redis.Do("SET", catalog.PairingKey(node, pairing.Name(code.Ticket())), record, "EX", 3600)
	return code
}

// answer is what the desk says to a caller.
type answer struct {
	status int
	body   string
	wait   string
}

func (w *world) send(from, body string) answer {
	request := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, adminapi.PairPath, strings.NewReader(body))
	request.RemoteAddr = from + ":4711"
	recorder := httptest.NewRecorder()
	w.mux.ServeHTTP(recorder, request)
	return answer{recorder.Code, recorder.Body.String(), recorder.Header().Get("Retry-After")}
}

func (w *world) redeem(from, ticket string) answer {
	return w.send(from, `{"ticket":"`+ticket+`"}`)
}

// withoutID is an answer but for the ID of the request.
func (a answer) withoutID() string {
	words, _, _ := strings.Cut(a.body, " (request ")
	return words
}

func TestCodeIsRedeemedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRedis(t))
	code := w.offer("1", "REDIS_PASSWORD=secret\n")
	first := w.redeem("127.0.0.1", code.Ticket())
	var reply adminapi.PairReply
	if first.status != http.StatusOK || json.Unmarshal([]byte(first.body), &reply) != nil {
		t.Fatalf("the first gets %+v", first)
	}
	if settings, err := code.Open(reply.Sealed); err != nil || string(settings) != "REDIS_PASSWORD=secret\n" {
		t.Errorf("the code opens it as %q: %v", settings, err)
	}
	if strings.Contains(first.body, "secret") {
		t.Error("the answer can be read without the code")
	}
	wrong := w.redeem("127.0.0.1", pairing.New().Ticket())
	used := w.redeem("127.0.0.1", code.Ticket())
	elsewhere := w.redeem("127.0.0.1", w.offer("2", "x").Ticket())
	malformed := w.redeem("127.0.0.1", "../../cluster/uuid")
	for name, got := range map[string]answer{"a wrong code": wrong, "a used one": used, "that of another node": elsewhere, "no code": malformed} {
		if got.status != http.StatusForbidden || got.withoutID() != wrong.withoutID() {
			t.Errorf("%s gets %d %q, a wrong one %q", name, got.status, got.body, wrong.body)
		}
	}
	w.wantAudit(t, `"what":"pair","who":"module/app1"`, `"what":"refused"`)
	if w.redis.Do("EXISTS", catalog.ClusterUUID) != int64(1) {
		t.Error("something else was taken out of Redis")
	}
}

// wantAudit wants words in the audit log.
func (w *world) wantAudit(t *testing.T, words ...string) {
	t.Helper()
	text := readFile(t, w.audit.Path())
	for _, want := range words {
		if !strings.Contains(strings.ReplaceAll(text, `": "`, `":"`), want) {
			t.Errorf("the audit log lacks %s:\n%s", want, text)
		}
	}
}

func TestCodeExpiresByTheClockOfRedis(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRedis(t))
	code := w.offer("1", "x")
	key := catalog.PairingKey("1", pairing.Name(code.Ticket()))
	if left, isNumber := w.redis.Do("TTL", key).(int64); !isNumber || left <= 0 {
		t.Fatalf("it lives for %v", left)
	}
	w.redis.Do("PEXPIREAT", key, time.Now().Add(-time.Second).UnixMilli())
	if got := w.redeem("127.0.0.1", code.Ticket()); got.status != http.StatusForbidden {
		t.Errorf("after its time: %+v", got)
	}
}

func TestOfManyAtOnceOneGetsIt(t *testing.T) {
	t.Parallel()
	rdb := newRedis(t)
	one, two := newWorld(t, rdb), newWorld(t, rdb) // as after a restart, or beside
	code := one.offer("1", "x")
	var group sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		group.Go(func() { statuses[i] = []*world{one, two}[i%2].redeem("127.0.0.1", code.Ticket()).status })
	}
	group.Wait()
	got := map[int]int{}
	for _, status := range statuses {
		got[status]++
	}
	if got[http.StatusOK] != 1 || got[http.StatusForbidden] != len(statuses)-1 {
		t.Errorf("statuses are %v", got)
	}
}

func TestWhoGuessesWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRedis(t))
	code := w.offer("1", "x")
	const most = 10
	for range most {
		if got := w.redeem("127.0.0.1", pairing.New().Ticket()); got.status != http.StatusForbidden {
			t.Fatalf("a guess gets %+v", got)
		}
	}
	for _, ticket := range []string{pairing.New().Ticket(), code.Ticket()} {
		if got := w.redeem("127.0.0.1", ticket); got.status != http.StatusTooManyRequests || got.wait == "" {
			t.Errorf("after %d guesses: %+v", most, got)
		}
	}
	if got := w.redeem("127.0.0.2", code.Ticket()); got.status != http.StatusOK {
		t.Errorf("who calls from elsewhere waits too: %+v", got)
	}
}

func TestWhatIsNotAQuestionIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRedis(t))
	if got := w.redeem("192.0.2.7", w.offer("1", "x").Ticket()); got.status != http.StatusForbidden || strings.Contains(got.body, "code") {
		t.Errorf("from an address that is not allowed: %+v", got)
	}
	for _, body := range []string{"", "{", `{"ticket":7}`, `{"code":"x"}`, `{"ticket":"` + strings.Repeat("a", 1<<16) + `"}`} {
		if got := w.send("127.0.0.1", body); got.status != http.StatusBadRequest {
			t.Errorf("%.20s: %+v", body, got)
		}
	}
	w.redis.Do("SET", catalog.PairingKey("1", pairing.Name("broken")), "{")
	if got := w.redeem("127.0.0.1", "broken"); got.status != http.StatusInternalServerError {
		t.Errorf("what is not a record: %+v", got)
	}
}

func TestCodeStaysGoodWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRedis(t))
	code := w.offer("1", "x")
	w.redis.Stop()
	if got := w.redeem("127.0.0.1", code.Ticket()); got.status != http.StatusServiceUnavailable {
		t.Errorf("without Redis: %+v", got)
	}
	w.redis.Restart()
	if got := w.redeem("127.0.0.1", code.Ticket()); got.status != http.StatusOK {
		t.Errorf("with Redis again: %+v", got)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
