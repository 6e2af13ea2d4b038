package integration

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// daemon is the gateway's own binary.
type daemon struct {
	*process
	url string // of its first TCP address
}

// command is the binary with NethServer 8's environment.
func (c *cluster) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := commandContext(t, program(t, "RCLONE_GATEWAY"), args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "REDIS_") || strings.HasPrefix(v, "GATEWAY_") || strings.HasPrefix(v, "NOTIFY_") || strings.HasPrefix(v, "LISTEN_")
	}),
		"REDIS_ADDRESS="+c.Addr, "REDIS_USER=node/1", "REDIS_PASSWORD="+redistest.Password("node/1"),
		"NODE_ID=1", "GATEWAY_LOG_LEVEL=debug")
	return cmd
}

var boundAddress = regexp.MustCompile(`"addr":\["(127\.0\.0\.1:\d+)"`)

// start runs `serve` on a random port and waits until it is ready.
func (c *cluster) start(t *testing.T, args ...string) *daemon {
	t.Helper()
	d := c.startCommand(t, c.command(t, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...))
	d.out.want(t, "loaded from Redis")
	return d
}

func (c *cluster) startCommand(t *testing.T, cmd *exec.Cmd) *daemon {
	t.Helper()
	d := &daemon{process: startProcess(t, cmd)}
	if found := boundAddress.FindStringSubmatch(d.out.want(t, `"msg":"starting"`)); found != nil {
		d.url = "http://" + found[1]
	}
	return d
}

func (d *daemon) module(m string) caller { return callerOf(d.url, "module/"+m) }

// upload is one that is under way: half of its body was sent.
type upload struct {
	conn   rawConn
	rest   []byte
	target string
}

// beginUpload sends half of a pack, and returns when the gateway has begun to
// store it.
func (d *daemon) beginUpload(t *testing.T, c *cluster) *upload {
	t.Helper()
	u := d.halfUpload(t, localDest)
	dir := path.Dir(strings.TrimPrefix(u.target, "/"+localDest))
	shard := path.Base(u.target)[:2]
	waitFor(t, "the upload to begin", func() bool { // its file has no name yet
		_, err := os.Stat(filepath.Join(c.dir, dir, shard))
		return err == nil
	})
	return u
}

// halfUpload sends half of a pack.
func (d *daemon) halfUpload(t *testing.T, dest string) *upload {
	t.Helper()
	content, name := blob(4 << 20)
	u := &upload{rest: content[2<<20:], target: "/" + dest + "/" + mailRepo + "/data/" + name}
	module := d.module("mail1")
	u.conn = module.dial(t)
	module.send(t, u.conn, http.MethodPost, u.target, content[:2<<20], contentLength(len(content)))
	return u
}

func (u *upload) finish(t *testing.T) int {
	t.Helper()
	if _, err := u.conn.Write(u.rest); err != nil {
		t.Fatal(err)
	}
	return u.conn.answer(t, http.MethodPost).status
}

func TestTermLetsAnUploadFinish(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	d := c.start(t)
	u := d.beginUpload(t, c)
	d.signal(t, syscall.SIGTERM)
	d.out.want(t, "stopping: requests may finish")
	waitFor(t, "the gateway to accept no more", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	if got := u.finish(t); got != http.StatusOK {
		t.Errorf("the upload ended with %d", got)
	}
	if code := d.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	d.out.want(t, "stopped, every request had finished")
	wantTidy(t, filepath.Join(c.dir, mailRepo))
}

func TestTermCutsAfterTheTimeout(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	d := c.start(t, "--shutdown-timeout", "1s")
	d.beginUpload(t, c)
	d.signal(t, syscall.SIGTERM)
	if code := d.wait(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	d.out.want(t, "rclone-gateway: stopped: context deadline exceeded")
}

func TestSecondTermAbortsAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	d := c.start(t)
	d.beginUpload(t, c)
	d.signal(t, syscall.SIGTERM)
	d.out.want(t, "stopping: requests may finish")
	// The log line comes first; the signal is the system's a moment later.
	waitFor(t, "the second signal to end it", func() bool {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-d.exited:
			return true
		default:
			return false
		}
	})
	if status := d.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("ended with %v", d.cmd.ProcessState)
	}
}

func TestHangupReloads(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	d := c.start(t, "--refresh-interval", "1h", "--redis-events-user", "nobody")
	mark := d.out.mark()
	c.AddLocalDestination(moreDest, t.TempDir())
	d.signal(t, syscall.SIGHUP)
	d.out.wantFrom(t, mark, "loaded from Redis", `"destinations":2`)
	d.out.wantFrom(t, mark, `"msg":"reloaded"`)
}

// TestKillLeavesNothingHalf kills the gateway in the middle of an upload.
func TestKillLeavesNothingHalf(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	d := c.start(t)
	d.module("mail1").want(t, http.StatusOK, http.MethodPost, "/"+localDest+"/"+mailRepo+"/config", aConfig)
	before := len(filesBelow(t, c.dir))
	content, name := blob(4 << 20)
	target := "/" + localDest + "/" + mailRepo + "/data/" + name
	module := d.module("mail1")
	conn := module.dial(t)
	module.send(t, conn, http.MethodPost, target, content[:3<<20], contentLength(len(content)))
	waitFor(t, "the upload to begin", func() bool { return len(filesBelow(t, c.dir)) > before })
	d.signal(t, syscall.SIGKILL)
	d.wait(t)

	module = c.start(t).module("mail1")
	module.want(t, http.StatusNotFound, http.MethodHead, target, nil)
	if list := module.want(t, http.StatusOK, http.MethodGet, "/"+localDest+"/"+mailRepo+"/data/", nil); string(list.body) != "[]" {
		t.Errorf("the list shows %s", list.body)
	}
	module.want(t, http.StatusOK, http.MethodPost, target, content)
	if got := module.want(t, http.StatusOK, http.MethodGet, target, nil); !bytes.Equal(got.body, content) {
		t.Error("other bytes than were sent")
	}
}

// TestSocketActivation is started as systemd does, with the sockets open.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	cmd := c.command(t, "serve", "--addr", "127.0.0.1:1") // must not be used
	// LISTEN_PID is the gateway's own, which only its parent in spirit can know.
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.Env = append(cmd.Env, "LISTEN_FDS=1")
	cmd.ExtraFiles = []*os.File{file}
	d := c.startCommand(t, cmd)
	if want := "http://" + listener.Addr().String(); d.url != want {
		t.Fatalf("it listens on %s, want %s", d.url, want)
	}
	d.out.want(t, "loaded from Redis")
	d.module("mail1").want(t, http.StatusNotFound, http.MethodHead, "/"+localDest+"/"+mailRepo+"/config", nil)
}

// TestSystemdIsNotified reads what the gateway tells systemd.
func TestSystemdIsNotified(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	path := filepath.Join(shortDir(t), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	said := newLogbook(t)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := socket.Read(buf)
			if err != nil {
				return
			}
			_, _ = said.Write([]byte(strings.ReplaceAll(string(buf[:n]), "\n", " ") + "\n"))
		}
	}()

	start := func() *daemon {
		cmd := c.command(t, "serve", "--addr", "127.0.0.1:0", "--refresh-interval", "1s")
		cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=400000")
		return c.startCommand(t, cmd)
	}
	c.Stop()
	d := start()
	said.want(t, "STATUS=waiting for Redis")
	said.want(t, "READY=1") // after a while, without Redis
	said.want(t, "WATCHDOG=1")
	c.Restart()
	said.want(t, "STATUS=ready")
	d.signal(t, syscall.SIGHUP)
	line := said.want(t, "RELOADING=1 MONOTONIC_USEC=")
	if !regexp.MustCompile(`MONOTONIC_USEC=[1-9]\d+$`).MatchString(line) {
		t.Errorf("%q", line)
	}
	mark := slices.Index(said.all(), line)
	said.wantFrom(t, mark, "READY=1")
	said.wantFrom(t, said.mark(), "WATCHDOG=1")
	d.signal(t, syscall.SIGTERM)
	said.want(t, "STOPPING=1")
	if code := d.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}

	mark = said.mark()
	start()
	said.wantFrom(t, mark, "READY=1")
	if lines := said.all()[mark:]; !slices.Contains(lines[:slices.Index(lines, "READY=1")], "STATUS=ready") {
		t.Errorf("it said %q; want that it is ready before that the start is over", lines)
	}
}

// shortDir leaves room for the name of a unix socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	socket := filepath.Join(shortDir(t), "gateway.sock")
	path := "/" + localDest + "/" + mailRepo + "/config"
	overSocket := caller{
		base: "http://gateway", user: "module/mail1", password: redistest.Password("module/mail1"),
		client: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}}},
	}
	d := c.start(t, "--addr", "127.0.0.1:0", "--addr", "unix:"+socket)
	if line := d.out.want(t, `"msg":"starting"`); strings.Count(line, "127.0.0.1:") < 3 || !strings.Contains(line, socket) {
		t.Errorf("the addresses are not all there: %s", line)
	}
	d.module("mail1").want(t, http.StatusNotFound, http.MethodHead, path, nil)
	overSocket.want(t, http.StatusNotFound, http.MethodHead, path, nil)
	d.out.want(t, `"msg":"request"`, `"from":"@"`)

	// A second one finds the socket in use, and the port too.
	for _, addr := range []string{"unix:" + socket, strings.TrimPrefix(d.url, "http://")} {
		out, err := c.command(t, "serve", "--addr", addr).CombinedOutput()
		if exitCode(err) != 1 || !regexp.MustCompile(`^rclone-gateway: --addr `+regexp.QuoteMeta(addr)+`: .*(another process listens there|address already in use)`).Match(out) {
			t.Errorf("%s: %v\n%s", addr, err, out)
		}
	}
	overSocket.want(t, http.StatusNotFound, http.MethodHead, path, nil)

	// What a killed one leaves behind is removed.
	d.signal(t, syscall.SIGKILL)
	d.wait(t)
	overSocket.client.CloseIdleConnections()
	if _, err := os.Stat(socket); err != nil {
		t.Fatalf("no stale socket: %v", err)
	}
	d = c.start(t, "--addr", "unix:"+socket)
	overSocket.want(t, http.StatusNotFound, http.MethodHead, path, nil)
	d.signal(t, syscall.SIGTERM)
	d.wait(t)
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket outlives the gateway")
	}

	writeFile(t, socket, []byte("a file"))
	out, err := c.command(t, "serve", "--addr", "unix:"+socket).CombinedOutput()
	if exitCode(err) != 1 || !strings.Contains(string(out), "the path exists and is no socket") {
		t.Errorf("%v\n%s", err, out)
	}
}

// exitCode of a command that ended; 0 stands for success.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return -2
}

func TestTLSWithClientCertificates(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	ca, cert, key := makeCertificates(t)
	d := c.start(t, "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", ca)
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	secure := d.module("mail1")
	secure.base = strings.Replace(d.url, "http://", "https://", 1)
	for _, http2 := range []bool{false, true} {
		secure.client = &http.Client{Transport: &http.Transport{
			ForceAttemptHTTP2: http2,
			TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}},
		}}
		content, name := blob(3 << 20)
		target := "/" + localDest + "/" + mailRepo + "/data/" + name
		secure.want(t, http.StatusOK, http.MethodPost, target, content)
		if got := secure.want(t, http.StatusOK, http.MethodGet, target, nil); !bytes.Equal(got.body, content) {
			t.Error("other bytes than were sent")
		}
		secure.client.CloseIdleConnections()
	}
	secure.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	if _, err := secure.do(t.Context(), http.MethodGet, "/-/healthy", nil); err == nil {
		t.Error("a client without certificate got in")
	}
	d.module("mail1").want(t, http.StatusBadRequest, http.MethodGet, "/-/healthy", nil) // without TLS
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, tt := range []struct {
		name string
		args []string
		env  string
		line string
	}{
		{"an unknown flag", []string{"serve", "--fast"}, "", "unknown flag: --fast"},
		{"an argument", []string{"serve", "now"}, "", "unknown command"},
		{"an invalid duration", []string{"serve", "--stall-timeout", "soon"}, "", "--stall-timeout"},
		{"a timeout of nothing", []string{"serve", "--stall-timeout", "0s"}, "", "less than a second"},
		{"a duration of the environment", []string{"serve"}, "GATEWAY_MAX_STALE=soon", "$GATEWAY_MAX_STALE"},
		{"an invalid network", []string{"serve", "--allow-from", "everybody"}, "", `--allow-from: "everybody" is neither a network, such as 10.0.0.0/8, nor an address`},
		{"an address without a port", []string{"serve", "--addr", "127.0.0.1"}, "", "--addr 127.0.0.1: an address must be host:port, :port or unix:/path"},
		{"an address of the environment", []string{"serve"}, "GATEWAY_ADDR=/run/gateway.sock", "--addr /run/gateway.sock: an address must be"},
		{"a port beyond all", []string{"serve", "--addr", "127.0.0.1:99999"}, "", "with a port of 0 to 65535"},
		{"an address of metrics without a port", []string{"serve", "--metrics-addr", "here"}, "", "--metrics-addr here: an address must be"},
		{"an address that health cannot ask", []string{"health", "--addr", "here"}, "", "--addr here: an address must be"},
		{"a port that health cannot know", []string{"health", "--addr", "127.0.0.1:0"}, "", "the port is not known"},
		{"a certificate without its key", []string{"serve", "--tls-cert", "/nonexistent"}, "", "--tls-cert, --tls-key: TLS needs both"},
		{"a key without its certificate, for health", []string{"health", "--tls-key", "/nonexistent"}, "", "--tls-cert, --tls-key: TLS needs both"},
		{"a Redis without a port", []string{"check-config"}, "REDIS_ADDRESS=redis", "an address must be host:port or the path of a unix socket"},
		{"certificates of Redis that are not there", []string{"check-destination", "x", "--redis-ca", "/nonexistent"}, "", "--redis-ca: open /nonexistent"},
		{"an unknown shell", []string{"completion", "powershell"}, "", "name a shell: bash, zsh or fish"},
		{"no shell", []string{"completion"}, "", "name a shell: bash, zsh or fish"},
		{"an unknown level", []string{"serve", "--log-level", "loud"}, "", "--log-level"},
		{"an unknown source", []string{"serve", "--acl-source", "hearsay"}, "", "--acl-source"},
		{"a certificate that is not there", []string{"serve", "--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"}, "", "--tls-cert"},
		{"a password file that is not there", []string{"serve", "--redis-password-file", "/nonexistent"}, "", "--redis-password-file"},
		{"an address and a URL", []string{"serve", "--redis-url", "redis://u:" + sectionSecret + "@h"}, "", "the Redis password is given twice"},
		{"a file of variables that is not there", []string{"serve", "--env-file", "/nonexistent"}, "", "--env-file: open /nonexistent"},
		{"an unknown command", []string{"sevre"}, "", "unknown command"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := c.command(t, tt.args...)
			cmd.Env = append(cmd.Env, tt.env)
			out, err := cmd.CombinedOutput()
			if exitCode(err) != 2 || !strings.Contains(string(out), tt.line) || !strings.Contains(string(out), "rclone-gateway: ") {
				t.Errorf("exit %d, want 2 and a line with %q:\n%s", exitCode(err), tt.line, out)
			}
			wantNoSecret(t, "the output", string(out))
		})
	}
}

func TestCheckConfig(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	out := runCommand(t, c.command(t, "check-config"))
	if !strings.Contains(out, localDest) || !strings.Contains(out, "ok") || !strings.Contains(out, "3 users, 1 destinations, 0 entries left out") {
		t.Errorf("all is well, and it says:\n%s", out)
	}

	missing := filepath.Join(t.TempDir(), "not", "mounted")
	c.AddLocalDestination(moreDest, missing)
	c.Do("HSET", catalog.ModuleUUID, "mail9", "no UUID")
	cmd := c.command(t, "check-config")
	table, err := cmd.Output()
	if exitCode(err) != 3 || !regexp.MustCompile(moreDest+` .*no such file or directory`).Match(table) || !regexp.MustCompile(localDest+` .* ok\n`).Match(table) {
		t.Errorf("exit %d:\n%s", exitCode(err), table)
	}
	wantNoSecret(t, "the table", string(table))

	var report struct {
		Users        int
		Destinations []struct {
			ID    string
			OK    bool
			Error string
		}
		Warnings []struct{ Key, Reason string }
	}
	text, err := c.command(t, "check-config", "--json").Output()
	if exitCode(err) != 3 {
		t.Errorf("exit %d", exitCode(err))
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	if report.Users != 3 || len(report.Destinations) != 2 || !report.Destinations[0].OK || report.Destinations[1].OK ||
		report.Destinations[1].ID != moreDest || !strings.Contains(report.Destinations[1].Error, missing) || len(report.Warnings) != 1 {
		t.Errorf("%+v", report)
	}

	c.Stop()
	out2, err := c.command(t, "check-config").CombinedOutput()
	if exitCode(err) != 1 || !strings.Contains(string(out2), "check that Redis runs") {
		t.Errorf("without Redis: exit %d\n%s", exitCode(err), out2)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"version", "--version"} {
		out := runCommand(t, commandContext(t, program(t, "RCLONE_GATEWAY"), word))
		if !strings.HasPrefix(out, "rclone-gateway ") || !strings.Contains(out, "rclone v1.") || !strings.Contains(out, "\ngo1.") {
			t.Errorf("%s: %q", word, out)
		}
	}
}

// TestStartPrintsTheConfiguration without any secret, which is looked for at the
// end of every test of this file.
func TestStartPrintsTheConfiguration(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	cmd := c.command(t, "serve", "--addr", "127.0.0.1:0",
		"--redis-url", fmt.Sprintf("redis://node%%2F1:%s@%s", redistest.Password("node/1"), c.Addr))
	cmd.Env = append(cmd.Env, "REDIS_ADDRESS=", "REDIS_USER=", "REDIS_PASSWORD=", "REDIS_EVENTS_PASSWORD="+sectionSecret)
	d := c.startCommand(t, cmd)
	d.out.want(t, "loaded from Redis")
	line := d.out.want(t, `"msg":"starting"`)
	for _, part := range []string{`"version":`, `"addr":`, c.Addr, `"node_id":"1"`, `"refresh_interval":`, `"max_stale":`, `"stall_timeout":`, `"shutdown_timeout":`, `"cluster_store":"/srv/repo"`} {
		if !strings.Contains(line, part) {
			t.Errorf("no %s in %s", part, line)
		}
	}
	d.signal(t, syscall.SIGTERM)
	if code := d.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestPasswordFile reads it in place of the environment.
func TestPasswordFile(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	file := filepath.Join(t.TempDir(), "password")
	writeFile(t, file, []byte(redistest.Password("node/1")+"\n"))
	cmd := c.command(t, "serve", "--addr", "127.0.0.1:0", "--redis-password-file", file)
	cmd.Env = append(cmd.Env, "REDIS_PASSWORD=")
	d := c.startCommand(t, cmd)
	d.out.want(t, "loaded from Redis", `"users":3`)
}

// TestEnvFile takes the file that "gatewayctl node add" writes, in a shell that has the
// variables of another connection.
func TestEnvFile(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	file := filepath.Join(t.TempDir(), "node.env")
	writeFile(t, file, []byte("# of node 1\nREDIS_USER=node/1\nREDIS_PASSWORD='"+redistest.Password("node/1")+"'\nREDIS_ADDRESS="+c.Addr+"\n"))
	for _, others := range [][]string{
		{"REDIS_USER=", "REDIS_PASSWORD=", "REDIS_ADDRESS="},
		{"REDIS_USER=module/mail1", "REDIS_PASSWORD=wrong", "REDIS_PASSWORD_FILE=/nonexistent", "REDIS_URL=redis://127.0.0.1:1", "REDIS_REPLICA_ADDRESS=127.0.0.1:1"},
	} {
		cmd := c.command(t, "serve", "--addr", "127.0.0.1:0", "--env-file", file)
		cmd.Env = append(cmd.Env, others...)
		d := c.startCommand(t, cmd)
		d.out.want(t, "loaded from Redis", `"users":3`)
		cmd = c.command(t, "--env-file="+file, "check-config")
		cmd.Env = append(cmd.Env, others...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("check-config: %v: %s", err, out)
		}
	}
	// An option goes first.
	cmd := c.command(t, "check-config", "--env-file", file, "--redis-user", "module/mail1")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "WRONGPASS") && !strings.Contains(string(out), "password") {
		t.Errorf("check-config as another user: %v: %s", err, out)
	}
}

// TestMainJobOfTheBinary is TestMainJob in small, with the process that is
// installed.
func TestMainJobOfTheBinary(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	d := c.start(t)
	module := newRestic(t, "RESTIC_0_18", d.url+"/"+localDest, mailRepo, "module/mail1")
	tree := makeTree(t)
	module.seed(t, 2)
	module.run(t, "backup", tree)
	module.wantRestored(t, tree)
	d.signal(t, syscall.SIGTERM)
	if code := d.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
