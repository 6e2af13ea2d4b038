package join_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/join"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
	"github.com/rclone-gateway/rclone-gateway/internal/pairing"
	"github.com/rclone-gateway/rclone-gateway/internal/testcert"
)

const settings = `MODULE_ID=app1
MODULE_UUID=9a0fcb6d-5f5b-4f6e-a4f5-1a6b3a4b2c01
IMAGE_URL=localhost/app:latest
NODE_ID=1
REDIS_ADDRESS=none
REDIS_USER=module/app1
REDIS_PASSWORD=correct-horse
NS8_GATEWAY_URL=https://gw.example.org:4694
`

// gateway is one that a test answers for.
type gateway struct {
	*httptest.Server

	ca  string // file of the CA's certificate
	pin gatehttp.Fingerprint

	mu      sync.Mutex
	tickets []string
	answer  func(ticket string) (status int, body []byte)
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	authority := testcert.New(t)
	pair, err := tls.LoadX509KeyPair(authority.Issue(t, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{ca: authority.CA, pin: sha256.Sum256(pair.Certificate[0])}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(g.serve))
	g.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	g.StartTLS()
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request) {
	var asked adminapi.PairRequest
	if r.URL.Path != adminapi.PairPath || json.NewDecoder(r.Body).Decode(&asked) != nil {
		http.NotFound(w, r)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tickets = append(g.tickets, asked.Ticket)
	status, body := g.answer(asked.Ticket)
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "600")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// gives has the gateway give settings that were sealed with a code.
func (g *gateway) gives(t *testing.T, code pairing.Code, plain string) {
	t.Helper()
	reply, err := json.Marshal(adminapi.PairReply{Sealed: code.Seal([]byte(plain))})
	if err != nil {
		t.Fatal(err)
	}
	g.answer = func(string) (int, []byte) { return http.StatusOK, reply }
}

// asked is how often the gateway was asked.
func (g *gateway) asked() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.tickets)
}

// run runs module join with stdin, and returns what it said and its status.
func run(t *testing.T, stdin string, vars map[string]string, args ...string) (said string, status int) {
	t.Helper()
	var out bytes.Buffer
	sys := host.NewSystem(strings.NewReader(stdin), &out, &out)
	sys.Env = host.NewEnvironment(func(name string) (string, bool) {
		if name == "NS8_AGENT_ENV" || name == "NS8_CORE_ENV" {
			return filepath.Join(t.TempDir(), "absent"), true
		}
		value, ok := vars[name]
		return value, ok
	})
	cmd := join.NewCommand(sys)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		return out.String() + err.Error(), exit.CodeOf(t.Context(), err)
	}
	return out.String(), 0
}

func TestACodeMakesTheHostOneOfTheModule(t *testing.T) {
	t.Parallel()
	g, code := newGateway(t), pairing.New()
	ca, err := os.ReadFile(g.ca)
	if err != nil {
		t.Fatal(err)
	}
	g.gives(t, code, settings+"GATEWAY_CA="+base64.StdEncoding.EncodeToString(ca)+"\n")
	dir := filepath.Join(t.TempDir(), "app1")
	said, status := run(t, strings.ToLower(code.Text())+"\n", nil, "--dir", dir, "--ca-sha256", g.pin.String(), g.URL)
	if status != 0 {
		t.Fatalf("status %d: %s", status, said)
	}
	if strings.Contains(said, "correct-horse") || strings.Contains(said, code.Text()) {
		t.Errorf("a secret is said: %s", said)
	}
	text, err := os.ReadFile(filepath.Join(dir, "etc", "module.env"))
	if err != nil {
		t.Fatal(err)
	}
	vars := envfile.Parse(text)
	for name, want := range map[string]string{
		"REDIS_PASSWORD": "correct-horse", "NS8_GATEWAY_URL": g.URL, "AGENT_STATE_DIR": filepath.Join(dir, "state"),
		"RESTIC_CACERT": filepath.Join(dir, "etc", "gateway-ca.pem"), "GATEWAY_CA": "",
	} {
		if vars[name] != want {
			t.Errorf("%s is %q, want %q", name, vars[name], want)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "etc", "module.env")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the environment is %v, %v", info, err)
	}
	if written, err := os.ReadFile(vars["RESTIC_CACERT"]); err != nil || !bytes.Equal(bytes.TrimSpace(written), bytes.TrimSpace(ca)) {
		t.Errorf("the CA is %q: %v", written, err)
	}
	if g.tickets[0] != code.Ticket() {
		t.Error("something else than the ticket was sent")
	}
}

func TestNothingIsSentThatOthersCouldHave(t *testing.T) {
	t.Parallel()
	g, other, code := newGateway(t), newGateway(t), pairing.New()
	g.gives(t, code, settings)
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	typed := code.Text()
	replaced := map[bool]string{true: "Z", false: "Y"}[typed[3] != 'Z']
	for name, test := range map[string]struct {
		stdin, words string
		status       exit.Code
		args         []string
	}{
		"a certificate that is not the code's":  {typed, "is not the gateway that the code is for", exit.Forbidden, []string{"--ca-sha256", other.pin.String(), g.URL}},
		"a certificate that nobody vouches for": {typed, "RESTIC_CACERT", exit.Unreachable, []string{g.URL}},
		"a mistyped code":                       {typed[:3] + replaced + typed[4:], "mistyped", exit.Usage, []string{"--ca-sha256", g.pin.String(), g.URL}},
		"no code":                               {"", "20 letters", exit.Usage, []string{"--ca-sha256", g.pin.String(), g.URL}},
		"a directory that cannot be made":       {typed, "make the directory", exit.Failed, []string{"--dir", blocked + "/app1", "--ca-sha256", g.pin.String(), g.URL}},
		"plain http":                            {typed, "--allow-http", exit.Usage, []string{"http://192.0.2.1:4694"}},
	} {
		said, status := run(t, test.stdin, nil, append([]string{"--dir", filepath.Join(t.TempDir(), "app1")}, test.args...)...)
		if status != int(test.status) || !strings.Contains(said, test.words) {
			t.Errorf("%s: status %d: %s", name, status, said)
		}
	}
	if n := g.asked(); n > 0 {
		t.Errorf("the gateway was asked %d times", n)
	}
}

func TestAnswersThatAreNoSettings(t *testing.T) {
	t.Parallel()
	g, code := newGateway(t), pairing.New()
	answer := func(status int, body string) func(string) (int, []byte) {
		return func(string) (int, []byte) { return status, []byte(body) }
	}
	sealed := func(by pairing.Code, plain string) func(string) (int, []byte) {
		reply, err := json.Marshal(adminapi.PairReply{Sealed: by.Seal([]byte(plain))})
		if err != nil {
			t.Fatal(err)
		}
		return answer(http.StatusOK, string(reply))
	}
	for name, test := range map[string]struct {
		answer func(string) (int, []byte)
		words  string
		status exit.Code
	}{
		"a code that was used":      {answer(http.StatusForbidden, "403 Forbidden: no such pairing code\n"), "module add --pair", exit.Forbidden},
		"too many guesses":          {answer(http.StatusTooManyRequests, ""), "600 seconds", exit.Forbidden},
		"a gateway without Redis":   {answer(http.StatusServiceUnavailable, ""), "the code stays good", exit.Unreachable},
		"an older gateway":          {answer(http.StatusUnauthorized, ""), "knows no pairing codes", exit.Failed},
		"another program":           {answer(http.StatusOK, "<html>"), "knows no pairing codes", exit.Failed},
		"somebody between":          {sealed(pairing.New(), settings), "somebody is between", exit.Failed},
		"settings that lack a part": {sealed(code, strings.Replace(settings, "REDIS_PASSWORD", "X", 1)), "REDIS_PASSWORD is missing", exit.Failed},
		"an ID that is a path":      {sealed(code, strings.Replace(settings, "=app1", "=../app1", 1)), "MODULE_ID is missing, or not valid", exit.Failed},
	} {
		g.answer = test.answer
		dir := filepath.Join(t.TempDir(), "app1")
		said, status := run(t, code.Text(), map[string]string{"RESTIC_CACERT": g.ca}, "--dir", dir, g.URL)
		if status != int(test.status) || !strings.Contains(said, test.words) || strings.Contains(said, "correct-horse") {
			t.Errorf("%s: status %d: %s", name, status, said)
		}
		if _, err := os.Stat(filepath.Join(dir, "etc", "module.env")); err == nil {
			t.Errorf("%s: an environment was written", name)
		}
	}
}

func TestBrokenCertificatesInAFileAreTold(t *testing.T) {
	t.Parallel()
	for name, ca := range map[string]string{
		"not base64": "!", "no certificate": base64.StdEncoding.EncodeToString([]byte("x")),
		"half of one": base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})[:20]),
	} {
		file := filepath.Join(t.TempDir(), "app1.host")
		if err := os.WriteFile(file, []byte(settings+"GATEWAY_CA="+ca+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if said, status := run(t, "", nil, "--dir", t.TempDir(), file); status != int(exit.Usage) || !strings.Contains(said, "GATEWAY_CA") {
			t.Errorf("%s: status %d: %s", name, status, said)
		}
	}
}
