package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/metrics/metricstest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

var update = flag.Bool("update", false, "write the golden files again")

const remoteDest = "5d5bfa40-4dd1-4b8e-9cf0-6f5cc2b6d1aa"

// measured is a whole gateway on a real Redis, which serves on two addresses.
type measured struct {
	*Gateway

	url, metricsURL string
	log             *testenv.Buffer
	redis           *redistest.Server
}

func newMeasured(t *testing.T) *measured {
	t.Helper()
	m := &measured{redis: redistest.Start(t), log: &testenv.Buffer{}}
	m.redis.SetupNS8()
	m.redis.AddModules(redistest.Module{ID: "mail2", UUID: ownUUID, Node: "1"})
	m.redis.Do("HSET", catalog.LimitsKey(destID), "quota", "1000000")
	m.redis.AddLocalDestination(destID, t.TempDir())
	m.redis.AddSchedule(redistest.Schedule{ID: "7", Repository: destID, Name: "nightly", Instances: []string{"mail2", "mail3"}})
	m.redis.AddDestinations(redistest.Destination{
		ID: remoteDest, Name: "Away", Provider: "rclone", URL: "rclone:webdav:x:",
		RcloneConf: "[" + remoteDest + "]\ntype = webdav\nurl = http://127.0.0.1:1\n",
	})
	listeners := make([]net.Listener, 2)
	for i := range listeners {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i] = listener
	}
	m.url = "http://" + listeners[0].Addr().String()
	m.metricsURL = "http://" + listeners[1].Addr().String() + MetricsPath
	opts := Defaults()
	opts.Listeners, opts.Metrics = listeners[:1], listeners[1]
	opts.Redis = catalog.Redis{Address: m.redis.Addr, Username: "node/1", Password: redistest.Password("node/1")}
	opts.Load = catalog.LoadOptions{NodeID: "1", ClusterStore: t.TempDir()}
	opts.Log = slog.New(slog.NewTextHandler(m.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if m.Gateway, err = New(opts); err != nil {
		t.Fatal(err)
	}
	m.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := m.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := m.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

// ask sends a request as restic does, and returns the status and the body.
func (m *measured) ask(t *testing.T, user, method, url string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", rest.MediaTypeV2)
	name, password, given := strings.Cut(user, ":")
	if !given {
		password = redistest.Password(name)
	}
	if user != "" {
		req.SetBasicAuth(name, password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(content)
}

// use makes of each kind of request one, so that every metric has a value.
func (m *measured) use(t *testing.T) {
	t.Helper()
	const module = "module/mail2"
	repo := m.url + "/" + destID + "/mail/" + ownUUID + "/"
	content := []byte("a snapshot, that nobody decrypts: 42 bytes")
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	for _, step := range []struct {
		user, method, url string
		body              []byte
		want              int
	}{
		{module, "POST", repo + "?create=true", nil, 200},
		{module, "HEAD", repo + "config", nil, 404},
		{module, "POST", repo + "config", []byte("a config, that nobody decrypts: 38 bytes"), 200},
		{module, "POST", repo + "config", []byte("another, that nobody decrypts: 37 bytes"), 403},
		{module, "POST", repo + "data/" + name, content, 200},
		{module, "POST", repo + "snapshots/" + name, content, 200},
		{module, "POST", repo + "data/" + digits64, content, 400},
		{module, "POST", repo + "index/" + digits64, []byte("garbage"), 400},
		{module, "POST", repo + "data/" + name, make([]byte, 1_000_001), 507},
		{module, "GET", repo + "data/" + name, nil, 200},
		{module, "GET", repo + "snapshots/", nil, 200},
		{module, "DELETE", repo + "snapshots/" + name, nil, 403},
		{"node/1", "DELETE", repo + "snapshots/" + name, nil, 200},
		{"node/1:wrong", "GET", repo + "config", nil, 401},
		{"node/9:wrong", "GET", repo + "config", nil, 401},
		{"", "GET", repo + "config", nil, 401},
		{"node/1", "BREW", repo + "config", nil, 405},
		{"", "GET", m.url + "/-/healthy", nil, 200},
	} {
		if got, body := m.ask(t, step.user, step.method, step.url, step.body); got != step.want {
			t.Fatalf("%s: %s %s: %d, want %d: %s", step.user, step.method, step.url, got, step.want, body)
		}
	}
	m.state.MeasureSpace(t.Context())
	m.state.PurgeTrash(t.Context())
}

func TestMetricsTellWhatHappened(t *testing.T) {
	t.Parallel()
	m := newMeasured(t)
	m.use(t)
	for _, want := range []struct {
		name   string
		value  float64
		labels []string
	}{
		{"requests_total", 1, []string{"operation", "create", "type", "local", "code", "200"}},
		{"requests_total", 1, []string{"operation", "head", "type", "local", "code", "404"}},
		{"requests_total", 3, []string{"operation", "save", "type", "local", "code", "200"}},
		{"requests_total", 2, []string{"operation", "save", "type", "local", "code", "400"}},
		{"requests_total", 1, []string{"operation", "save", "type", "local", "code", "507"}},
		{"requests_total", 1, []string{"operation", "get", "type", "local", "code", "200"}},
		{"requests_total", 1, []string{"operation", "list", "type", "local", "code", "200"}},
		{"requests_total", 1, []string{"operation", "delete", "type", "none", "code", "403"}},
		{"requests_total", 3, []string{"operation", "get", "type", "none", "code", "401"}},
		{"requests_total", 1, []string{"operation", "probe", "type", "none", "code", "200"}},
		{"request_duration_seconds", 7, []string{"operation", "save", "type", "local"}},
		{"sent_bytes_total", 42, []string{"operation", "get", "type", "local"}},
		{"auth_failures_total", 1, []string{"reason", "wrong_password"}},
		{"auth_failures_total", 1, []string{"reason", "unknown_user"}},
		{"auth_failures_total", 1, []string{"reason", "no_credentials"}},
		{"auth_failures_total", 1, []string{"reason", "scope"}},
		{"auth_failures_total", 0, []string{"reason", "address"}},
		{"uploads_refused_total", 1, []string{"reason", "corrupt"}},
		{"uploads_refused_total", 1, []string{"reason", "malformed"}},
		{"uploads_refused_total", 0, []string{"reason", "rate"}},
		{"uploads_refused_total", 1, []string{"reason", "quota"}},
		{"uploads_refused_total", 1, []string{"reason", "exists"}},
		{"uploads_refused_total", 0, []string{"reason", "full"}},
		{"open_stores", 1, []string{"type", "local"}},
		{"requests_in_flight", 0, nil},
		{"ready", 1, nil},
		{"reload_success", 1, nil},
		{"users", 1, []string{"role", "module"}},
		{"users", 1, []string{"role", "node"}},
		{"destinations", 2, []string{"state", "usable"}},
		{"destination_info", 1, []string{"destination", remoteDest, "name", "Away", "provider", "rclone", "type", "webdav"}},
		{"destination_up", 1, []string{"destination", destID}},
		{"breaker_state", 1, []string{"destination", remoteDest, "state", "closed"}},
		{"breaker_state", 0, []string{"destination", remoteDest, "state", "open"}},
		{"store_errors_total", 0, []string{"destination", destID, "type", "local", "class", "full"}},
		{"snapshots_saved_total", 1, []string{"destination", destID}},
		{"destination_quota_bytes", 1_000_000, []string{"destination", destID}},
		{"destination_trash_objects", 1, []string{"destination", destID}},
		{"destination_trash_bytes", 42, []string{"destination", destID}},
		{"view_max_age_seconds", 86400, nil},
	} {
		if got := metricstest.Value(t, m.registry, want.name, want.labels...); got != want.value {
			t.Errorf("%s %q is %v, want %v", want.name, want.labels, got, want.value)
		}
	}
	for name, labels := range map[string][]string{
		"view_age_seconds": nil, "reload_last_success_timestamp_seconds": nil, "reload_duration_seconds": nil,
		"destination_free_bytes":                      {"destination", destID},
		"destination_last_snapshot_timestamp_seconds": {"destination", destID},
	} {
		if metricstest.Value(t, m.registry, name, labels...) <= 0 {
			t.Errorf("%s is not above 0", name)
		}
	}
}

// TestMetricsAreWhatTheDocumentationSays holds names, types, labels and help
// against docs/metrics.md; -update writes its table again.
func TestMetricsAreWhatTheDocumentationSays(t *testing.T) {
	t.Parallel()
	m := newMeasured(t)
	m.use(t)
	if problems, err := testutil.GatherAndLint(m.registry); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| metric | type | labels | what it tells |\n|---|---|---|---|\n")
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "rclone_gateway") {
			continue // of Go and of the process: their own libraries' to keep
		}
		labels := map[string]bool{}
		for _, metric := range family.GetMetric() {
			for _, pair := range metric.GetLabel() {
				labels["`"+pair.GetName()+"`"] = true
			}
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", family.GetName(), strings.ToLower(family.GetType().String()),
			strings.Join(slices.Sorted(maps.Keys(labels)), ", "), family.GetHelp())
	}
	const path, begin, end = "../docs/metrics.md", "<!-- begin: go test ./gateway -run TestMetricsAreWhat -update -->\n", "<!-- end -->\n"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	written, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", path)
	}
	if written == table.String() {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is stale; `%s` writes it. The metrics are now:\n%s", path, begin[len("<!-- begin: "):len(begin)-len(" -->\n")], table.String())
}

// TestAScheduledModuleWithoutABackupIsCounted has two modules in a schedule, of which one
// is backed up.
func TestAScheduledModuleWithoutABackupIsCounted(t *testing.T) {
	t.Parallel()
	m := newMeasured(t)
	want := func(held, none, unknown int) {
		t.Helper()
		_, text := m.ask(t, "", http.MethodGet, m.metricsURL, nil)
		for backups, count := range map[string]int{"held": held, "none": none, "unknown": unknown} {
			line := fmt.Sprintf("rclone_gateway_scheduled_modules{backups=%q,destination=%q,schedule=\"7\"} %d\n", backups, destID, count)
			if !strings.Contains(text, line) {
				t.Errorf("no %s", line)
			}
		}
	}
	m.redis.AddModules(redistest.Module{ID: "mail3", UUID: strings.Replace(ownUUID, ownUUID[:8], "99999999", 1), Node: "1"})
	if err := m.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(0, 0, 2)
	m.coverage.Look(t.Context())
	want(0, 2, 0)
	m.use(t)
	want(1, 1, 0)
	for _, text := range []string{"a scheduled module has no backup yet", "user=module/mail3", "schedule=7"} {
		if !strings.Contains(m.log.String(), text) {
			t.Errorf("the log does not hold %s", text)
		}
	}
	// The one that was backed up is held against the storage as well.
	m.coverage.Look(t.Context())
	want(1, 1, 0)
}

// TestRulesAndDashboardNameMetricsThatExist reads what deploy/ has for Prometheus
// and Grafana.
func TestRulesAndDashboardNameMetricsThatExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b` + "rclone_gateway" + `_\w+`)
	for _, path := range []string{
		"../deploy/prometheus/rclone-gateway.rules.yml", "../deploy/prometheus/rclone-gateway.rules_test.yml", "../deploy/grafana/rclone-gateway.json",
	} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		names := named.FindAllString(string(text), -1)
		if len(names) < 10 {
			t.Errorf("%s names %d metrics", path, len(names))
		}
		for _, name := range names {
			for _, suffix := range []string{"_seconds_bucket", "_seconds_sum", "_seconds_count"} {
				if base, ok := strings.CutSuffix(name, suffix); ok {
					name = base + "_seconds"
				}
			}
			if !strings.Contains(string(page), "| `"+name+"` |") {
				t.Errorf("%s names %s, which there is not", path, name)
			}
		}
	}
}

// TestLabelsStayBounded sends whatever a stranger may make up.
func TestLabelsStayBounded(t *testing.T) {
	t.Parallel()
	m := newMeasured(t)
	m.use(t)
	count := func() int {
		n, err := testutil.GatherAndCount(m.registry)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	strange := func(i int) {
		for _, method := range []string{"GET", "POST", "DELETE", "BREW", fmt.Sprintf("M%d", i)} {
			for _, url := range []string{
				fmt.Sprintf("%s/%s/app%d/%s/data/%s", m.url, destID, i, ownUUID, digits64),
				fmt.Sprintf("%s/00000000-0000-4000-8000-%012d/mail/%s/config", m.url, i, ownUUID),
				fmt.Sprintf("%s/%d", m.url, i),
			} {
				m.ask(t, "", method, url, nil)
			}
		}
		m.ask(t, fmt.Sprintf("module/stranger%d:guess", i), "GET", m.url+"/"+destID+"/mail/"+ownUUID+"/config", nil)
	}
	strange(0)
	before := count()
	strange(1)
	strange(2)
	if after := count(); after != before {
		t.Errorf("%d series became %d", before, after)
	}
	_, text := m.ask(t, "", "GET", m.metricsURL, nil)
	for _, never := range []string{ownUUID, "mail", "stranger", "node/1"} {
		if strings.Contains(text, never) {
			t.Errorf("the metrics hold %q", never)
		}
	}
}

func TestSeriesOfADestinationGoWithIt(t *testing.T) {
	t.Parallel()
	m := newMeasured(t)
	m.use(t)
	m.redis.RemoveDestination(destID)
	if err := m.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, text := m.ask(t, "", "GET", m.metricsURL, nil); strings.Contains(text, destID) || !strings.Contains(text, remoteDest) {
		t.Error("the series of what was removed are there, or those of what stays are not")
	}
	if open := metricstest.Value(t, m.registry, "open_stores", "type", "local"); open != 0 {
		t.Errorf("%v stores are open", open)
	}
}

func TestWhoeverHasNoCredentialsMakesNobodyAskRedis(t *testing.T) {
	t.Parallel()
	m := newMeasured(t)
	loads := func() float64 { return metricstest.Value(t, m.registry, "reloads_total", "result", "ok") }
	before := loads()
	if code, _ := m.ask(t, "", "GET", m.url+MetricsPath, nil); code != http.StatusUnauthorized {
		t.Errorf("without credentials: %d", code)
	}
	if after := loads(); after != before {
		t.Errorf("%v loads from Redis for a request without credentials", after-before)
	}
}

func TestTextsOfRedisThatAreNoUTF8HarmNoScrape(t *testing.T) {
	t.Parallel()
	m := newMeasured(t)
	m.redis.AddDestinations(redistest.Destination{
		ID: remoteDest, Name: "Caf\xe9", Provider: "rclone", URL: "rclone:x:x:",
		RcloneConf: "[" + remoteDest + "]\ntype = web\xe9\n",
	})
	if err := m.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, _ := m.ask(t, "node/1", "GET", m.url+"/"+remoteDest+"/mail/"+ownUUID+"/config", nil); code != http.StatusServiceUnavailable {
		t.Errorf("a destination of no type that there is: %d", code)
	}
	if code, text := m.ask(t, "", "GET", m.metricsURL, nil); code != http.StatusOK || !strings.Contains(text, "name=\"Caf\ufffd\"") {
		t.Errorf("scrape: %d: %.200s", code, text)
	}
}

// TestMetricsAreForNodes on the main address, and for all on their own.
func TestMetricsAreForNodes(t *testing.T) {
	t.Parallel()
	m := newMeasured(t)
	for user, want := range map[string]int{"node/1": 200, "module/mail2": 403, "node/1:wrong": 401, "": 401} {
		code, text := m.ask(t, user, "GET", m.url+MetricsPath, nil)
		if code != want || strings.Contains(text, "rclone_gateway") != (want == 200) {
			t.Errorf("%q: %d, want %d: %.100s", user, code, want, text)
		}
	}
	if line := m.log.String(); !strings.Contains(line, "obj=/metrics") || !strings.Contains(line, "hint=") {
		t.Errorf("the log does not say who asked for what: %s", line)
	}
	if code, text := m.ask(t, "", "GET", m.metricsURL, nil); code != 200 || !strings.Contains(text, "rclone_gateway_build_info{") {
		t.Errorf("on the address of its own: %d: %.100s", code, text)
	}
	own := strings.TrimSuffix(m.metricsURL, MetricsPath)
	for _, path := range []string{"/", "/-/healthy", "/" + destID + "/mail/" + ownUUID + "/config"} {
		if code, _ := m.ask(t, "node/1", "GET", own+path, nil); code != 404 {
			t.Errorf("%s on the metrics' address: %d", path, code)
		}
	}
	// The address gate holds here as for backups.
	r := httptest.NewRequest(http.MethodGet, MetricsPath, http.NoBody)
	r.RemoteAddr = "192.0.2.7:1234"
	r.SetBasicAuth("node/1", redistest.Password("node/1"))
	w := httptest.NewRecorder()
	m.routes().ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("from a strange address: %d", w.Code)
	}
}

func TestMetricsOfAGatewayThatNeverSawRedis(t *testing.T) {
	t.Parallel()
	opts := Defaults()
	opts.Redis = catalog.Redis{Address: t.TempDir() + "/nobody"}
	opts.MaxStale, opts.Log = time.Hour, discard
	g, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	if err := g.Reload(t.Context()); err == nil {
		t.Fatal("it loaded from nobody")
	}
	for name, want := range map[string]float64{"ready": 0, "reload_success": 0, "view_max_age_seconds": 3600} {
		if got := metricstest.Value(t, g.registry, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := metricstest.Value(t, g.registry, "reloads_total", "result", "failed"); got < 1 {
		t.Errorf("%v failed loads", got)
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
