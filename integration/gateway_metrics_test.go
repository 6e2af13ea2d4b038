package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/docpage"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// installed returns a program of a Debian package, which must be there in CI.
func installed(t *testing.T, name, packageName string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		testenv.Missing(t, "%v: install the package %s", err, packageName)
	}
	return path
}

func promtool(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return commandContext(t, installed(t, "promtool", "prometheus"), args...)
}

// TestAlertRules runs the tests that the rules bring along, as the page on metrics
// tells.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	installed(t, "promtool", "prometheus")
	page, err := docpage.Read("..", "docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := page.LeftTo("integration")
	if len(blocks) != 1 {
		t.Fatalf("%d blocks of docs/metrics.md are left to these tests", len(blocks))
	}
	cmd := commandContext(t, "bash", "-euc", blocks[0].Code)
	cmd.Dir = ".."
	runCommand(t, cmd)
	rules, err := os.ReadFile("../deploy/prometheus/rclone-gateway.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("../deploy/prometheus/rclone-gateway.rules_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range regexp.MustCompile(`- alert: (\w+)`).FindAllSubmatch(rules, -1) {
		fires := regexp.MustCompile(`alertname: ` + string(rule[1]) + `\n\s+eval_time: \w+\n\s+exp_alerts:`)
		if !fires.Match(tests) {
			t.Errorf("no test in which %s fires", rule[1])
		}
	}
}

// prometheus is a real one that scrapes a gateway by the configuration of deploy/,
// only more often.
type prometheus struct{ url string }

// startPrometheus scrapes main with the credentials of the node, and own without.
func startPrometheus(t *testing.T, main, own string) *prometheus {
	t.Helper()
	path := installed(t, "prometheus", "prometheus")
	dir := t.TempDir()
	config, err := os.ReadFile("../deploy/prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs("../deploy/prometheus/rclone-gateway.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(dir, "password")
	writeFile(t, password, []byte(redistest.Password("node/1")))
	text := string(config)
	for _, change := range [][2]string{
		{"15s", "1s"},
		{"127.0.0.1:4694", main},
		{"rclone-gateway.rules.yml", rules},
		{"/etc/prometheus/rclone-gateway.password", password},
	} {
		if !strings.Contains(text, change[0]) {
			t.Fatalf("no %s in the configuration", change[0])
		}
		text = strings.ReplaceAll(text, change[0], change[1])
	}
	text += fmt.Sprintf("  - job_name: own\n    static_configs:\n      - targets: [%q]\n", own)
	file := filepath.Join(dir, "prometheus.yml")
	writeFile(t, file, []byte(text))
	runCommand(t, promtool(t, "check", "config", file))

	address := testenv.FreeAddr(t)
	p := &prometheus{url: "http://" + address}
	startProcess(t, exec.Command(path, "--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "data"),
		"--web.listen-address", address, "--log.level", "warn"))
	waitFor(t, "Prometheus to be ready", func() bool {
		resp, err := http.Get(p.url + "/-/ready")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return p
}

// get asks the API, and fills in what is in data.
func (p *prometheus) get(t *testing.T, path string, data any) {
	t.Helper()
	resp, err := http.Get(p.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s: %v: %s %s", path, err, answer.Status, answer.Error)
	}
}

// query returns the values of an expression now, as Prometheus writes them.
func (p *prometheus) query(t *testing.T, expr string) []string {
	t.Helper()
	var data struct{ Result []struct{ Value [2]any } }
	p.get(t, "/api/v1/query?query="+url.QueryEscape(expr), &data)
	values := make([]string, len(data.Result))
	for i, sample := range data.Result {
		values[i], _ = sample.Value[1].(string)
	}
	return values
}

// wantValue waits until an expression has one value and that is the one wanted.
func (p *prometheus) wantValue(t *testing.T, expr, want string) {
	t.Helper()
	var got []string
	defer func() {
		if t.Failed() {
			t.Logf("%s is %q, want %s", expr, got, want)
		}
	}()
	waitFor(t, expr+" to be "+want, func() bool {
		got = p.query(t, expr)
		return slices.Equal(got, []string{want})
	})
}

// TestPrometheusSeesABackup lets a real Prometheus, set up as deploy/ says, scrape
// a gateway through which a real restic backs up, to a directory and to S3.
func TestPrometheusSeesABackup(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	addS3Destination(t, c, moreDest)
	c.Do("HSET", catalog.LimitsKey(localDest), "quota", "10000000000")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := c.serve(t, func(opts *gateway.Options) { opts.Metrics = listener })
	main := strings.TrimPrefix(g.url, "http://")
	p := startPrometheus(t, main, listener.Addr().String())
	const job = `{job="rclone-gateway"}`
	p.wantValue(t, "up"+job, "1")
	p.wantValue(t, `up{job="own"}`, "1")

	tree := makeTree(t)
	for _, dest := range []string{localDest, moreDest} {
		module := newRestic(t, "RESTIC_0_18", g.url+"/"+dest, mailRepo, "module/mail1")
		module.seed(t, 2)
		module.run(t, "backup", tree)
		module.wantRestored(t, tree)
	}
	content, _ := blob(1000)
	_, otherName := blob(1000)
	g.module("mail1").want(t, http.StatusBadRequest, http.MethodPost, "/"+localDest+"/"+mailRepo+"/data/"+otherName, content)
	g.module("mail1").with("module/mail1", wrongPassword).want(t, http.StatusUnauthorized, http.MethodGet, "/"+localDest+"/"+mailRepo+"/config", nil)

	p.wantValue(t, `sum(rclone_gateway_snapshots_saved_total`+job+`)`, "2")
	p.wantValue(t, `rclone_gateway_uploads_refused_total{job="rclone-gateway",reason="corrupt"}`, "1")
	p.wantValue(t, `rclone_gateway_auth_failures_total{job="rclone-gateway",reason="wrong_password"}`, "1")
	p.wantValue(t, `sum(rclone_gateway_destination_up`+job+`)`, "2")
	p.wantValue(t, `rclone_gateway_reload_success`+job, "1")
	for _, want := range []string{
		`sum(rclone_gateway_received_bytes_total{job="rclone-gateway",operation="save",type="local"}) > 1e5`,
		`sum(rclone_gateway_received_bytes_total{job="rclone-gateway",operation="save",type="s3"}) > 1e5`,
		`sum(rclone_gateway_sent_bytes_total{job="rclone-gateway",operation="get",type="s3"}) > 1e5`,
		`rclone_gateway_request_duration_seconds_count{job="rclone-gateway",operation="list",type="s3"} > 0`,
		`rclone_gateway_open_stores{job="rclone-gateway",type="s3"} == 1`,
	} {
		if len(p.query(t, want)) == 0 {
			t.Errorf("no: %s", want)
		}
	}

	// The damaged upload is an alert, and nothing else is one.
	waitFor(t, "the alert on damaged uploads", func() bool {
		return len(p.query(t, `ALERTS{alertname="RcloneGatewayCorruptUploads",alertstate="firing"}`)) > 0
	})
	if others := p.query(t, `ALERTS{alertname!="RcloneGatewayCorruptUploads",alertstate="firing"}`); len(others) > 0 {
		t.Errorf("%d other alerts fire", len(others))
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	p.get(t, "/api/v1/rules", &rules)
	for _, rule := range rules.Groups[0].Rules {
		if rule.Health != "ok" {
			t.Errorf("the rule %s: %s: %s", rule.Name, rule.Health, rule.LastError)
		}
	}

	wantDashboard(t, p, map[string][]string{"instance": {main, listener.Addr().String()}, "destination": {localDest, moreDest}})
	wantLint(t, listener.Addr().String())
}

// wantLint holds what is scraped to Prometheus's own rules.
func wantLint(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	own := caller{base: "http://" + address, client: http.DefaultClient}
	answer, err := own.do(ctx, http.MethodGet, "/metrics", nil, "Accept", "text/plain")
	if err != nil {
		t.Fatal(err)
	}
	check := promtool(t, "check", "metrics")
	check.Stdin = bytes.NewReader(answer.body)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
	for _, never := range []string{mailUUID, "mail1", "module/", "node/"} {
		if bytes.Contains(answer.body, []byte(never)) {
			t.Errorf("the metrics hold %q", never)
		}
	}
}
