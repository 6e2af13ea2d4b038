package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// patience bounds everything that waits. A gateway may itself try for a minute and a
// half, beside whatever else keeps a small machine busy.
const patience = 3 * time.Minute

// The cluster of these tests.
const (
	mailUUID  = "2c1a6f0e-8d1c-4f7e-9d6b-0f1f4c4a7b10"
	wikiUUID  = "7b0d9f5a-13c5-4a55-8a2e-54d0f6a3c1d2"
	mailRepo  = "mail/" + mailUUID
	wikiRepo  = "wiki/" + wikiUUID
	chatUUID  = "3f1c2b7a-5b1d-4c35-9a3e-64c1f7b2d3e4"
	chatRepo  = "chat/" + chatUUID
	localDest = "0f6d0c5e-54a5-4c11-8f11-3f0f6f2f7c01"
	moreDest  = "1e2b7d9c-aa01-4b1e-bb7e-7d1c6a3f9e02"
)

// Configs of repositories, as large as encrypted ones.
var (
	aConfig     = []byte("what nobody decrypts: the config of a repository")
	otherConfig = []byte("what nobody decrypts: another config than that")
)

var (
	mail = redistest.Module{ID: "mail1", UUID: mailUUID}
	wiki = redistest.Module{ID: "wiki7", UUID: wikiUUID}
	chat = redistest.Module{ID: "chat3", UUID: chatUUID} // not installed at first
)

// cluster is a real Redis, filled as NethServer 8 does: a node, two modules and
// a destination in a directory.
type cluster struct {
	*redistest.Server
	dir string // of localDest
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{Server: redistest.Start(t), dir: t.TempDir()}
	c.fill()
	return c
}

func (c *cluster) fill() {
	c.SetupNS8()
	c.AddModules(mail, wiki)
	c.AddLocalDestination(localDest, c.dir)
}

// asNode is how the gateway of node 1 connects.
func (c *cluster) asNode() catalog.Redis {
	return catalog.Redis{
		Address:  c.Addr,
		Username: "node/1",
		Password: redistest.Password("node/1"),
	}
}

// served is a gateway that runs within the test.
type served struct {
	*gateway.Gateway
	url string
	log *logbook
}

// serve starts a gateway and waits until it is ready.
func (c *cluster) serve(t testing.TB, change ...func(*gateway.Options)) *served {
	t.Helper()
	g := startGateway(t, c.asNode(), change...)
	g.waitReady(t)
	return g
}

// startGateway starts a gateway which ends with the test. Its log is then
// searched for secrets.
func startGateway(t testing.TB, r catalog.Redis, change ...func(*gateway.Options)) *served {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	book := newLogbook(t)
	opts := gateway.Defaults()
	opts.Listeners = []net.Listener{listener}
	opts.Redis = r
	opts.Load = catalog.LoadOptions{NodeID: "1"}
	opts.Log = slog.New(slog.NewJSONHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, f := range change {
		f(&opts)
	}
	g, err := gateway.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := g.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return &served{Gateway: g, url: "http://" + listener.Addr().String(), log: book}
}

func (s *served) waitReady(t testing.TB) {
	t.Helper()
	waitFor(t, "the gateway to be ready", s.Ready)
}

// node and module are clients of the gateway with the right password.
func (s *served) node() caller           { return callerOf(s.url, "node/1") }
func (s *served) module(m string) caller { return callerOf(s.url, "module/"+m) }

// waitFor polls until done says so.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	testenv.Until(t, patience, what, done)
}

// logbook keeps the lines of a log.
type logbook struct {
	mu    sync.Mutex
	rest  []byte // of the last line
	lines []string
	grown chan struct{} // closed at the next line
}

// newLogbook returns a log which at the end of the test is searched for secrets,
// and printed where the test failed.
func newLogbook(t testing.TB) *logbook {
	b := &logbook{grown: make(chan struct{})}
	t.Cleanup(func() {
		lines := b.all()
		wantNoSecret(t, "the log", strings.Join(lines, "\n"))
		if t.Failed() {
			t.Logf("the end of the log:\n%s", strings.Join(lines[max(0, len(lines)-20):], "\n"))
		}
	})
	return b
}

func (b *logbook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rest = append(b.rest, p...)
	for {
		line, rest, ok := bytes.Cut(b.rest, []byte{'\n'})
		if !ok {
			return len(p), nil
		}
		b.lines = append(b.lines, string(line))
		b.rest = rest
		close(b.grown)
		b.grown = make(chan struct{})
	}
}

func (b *logbook) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines)
}

// mark is the place behind what was logged so far.
func (b *logbook) mark() int { return len(b.all()) }

// want waits for a line that holds all parts, and returns it.
func (b *logbook) want(t *testing.T, parts ...string) string {
	t.Helper()
	return b.wantFrom(t, 0, parts...)
}

// wantFrom is want for the lines behind a mark.
func (b *logbook) wantFrom(t *testing.T, mark int, parts ...string) string {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		b.mu.Lock()
		lines, grown := b.lines, b.grown
		b.mu.Unlock()
		for ; mark < len(lines); mark++ {
			if containsAll(lines[mark], parts) {
				return lines[mark]
			}
		}
		select {
		case <-grown:
		case <-deadline.C:
			t.Fatalf("waited %v for a line in the log with %q", patience, parts)
		}
	}
}

func containsAll(line string, parts []string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
}

// The secrets of S3 in these tests.
const (
	s3AccessKey = "AKIDINTEGRATION"
	s3SecretKey = "c2VjcmV0IG9mIHRoZSBpbnRlZ3JhdGlvbiB0ZXN0cw"
)

// sectionSecret stands in the rclone sections of broken destinations.
const sectionSecret = "hunter2-in-a-section"

// wantNoSecret fails the test where a text holds a password or a key.
func wantNoSecret(t testing.TB, what, text string) {
	t.Helper()
	secrets := []string{s3SecretKey, sectionSecret, wrongPassword, resticPassword}
	for _, name := range []string{"cluster", "api-server", "node/1", "module/mail1", "module/wiki7", localDest, moreDest} {
		password := redistest.Password(name)
		digest := sha256.Sum256([]byte(password))
		secrets = append(secrets, password, hex.EncodeToString(digest[:]))
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s holds the secret %.8q…", what, secret)
		}
	}
}

// wrongPassword is nobody's.
const wrongPassword = "a-wrong-password-that-nobody-logs"

// caller is a client with credentials; without a user it sends none.
type caller struct {
	base, user, password string
	client               *http.Client
}

func callerOf(base, user string) caller {
	return caller{base: base, user: user, password: redistest.Password(user), client: http.DefaultClient}
}

func (c caller) with(user, password string) caller {
	c.user, c.password = user, password
	return c
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request of a restic client, with Accept unless the headers, pairs
// of name and value, say otherwise. It may be called from any goroutine.
func (c caller) do(ctx context.Context, method, path string, body io.Reader, headers ...string) (*reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if c.user != "" {
		req.SetBasicAuth(c.user, c.password)
	}
	req.Header.Set("Accept", rest.MediaTypeV2)
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return &reply{resp.StatusCode, resp.Header, content}, err
}

// call is do for the test's own goroutine: the answer must come, and hold no
// secret.
func (c caller) call(t *testing.T, method, path string, body []byte, headers ...string) *reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	answer, err := c.do(ctx, method, path, content, headers...)
	if err != nil {
		t.Fatalf("%s %.100s: %v", method, path, err)
	}
	if answer.status >= http.StatusBadRequest {
		wantNoSecret(t, "the answer to "+method+" "+path, string(answer.body))
	}
	return answer
}

// want is call with the status that it must have.
func (c caller) want(t *testing.T, status int, method, path string, body []byte, headers ...string) *reply {
	t.Helper()
	answer := c.call(t, method, path, body, headers...)
	if answer.status != status {
		t.Errorf("%s: %s %.100s = %d, want %d (%.200q)", c.user, method, path, answer.status, status, answer.body)
	}
	return answer
}

// answeringServer says the same on each connection, whatever it is asked, and then
// hangs up. It returns its address.
func answeringServer(t *testing.T, answer string) string {
	t.Helper()
	return testenv.ServeConnections(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, answer)
		// What is not read would take the answer back.
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	})
}

// blob returns n random bytes and the name they have in a repository.
func blob(n int) (content []byte, name string) {
	content = make([]byte, n)
	_, _ = rand.Read(content) // never fails
	return content, nameOf(content)
}

func nameOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// filesBelow returns the paths of all files below dir, whatever their names. What goes
// away meanwhile is not there.
func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files = append(files, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
