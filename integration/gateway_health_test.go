package integration

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// TestHealthCommand asks the running binary as a container's health check does:
// by the environment that the gateway has.
func TestHealthCommand(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	_, cert, key := makeCertificates(t)
	socket := "unix:" + filepath.Join(shortDir(t), "s")
	health := func(env ...string) (code int, line string) {
		t.Helper()
		cmd := c.command(t, "health")
		cmd.Env = append(cmd.Env, env...)
		out, err := cmd.CombinedOutput()
		if line := string(out); exitCode(err) != 0 && (strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "rclone-gateway: ")) {
			t.Errorf("not one line: %q", line)
		}
		return exitCode(err), string(out)
	}

	d := c.start(t, "--addr", socket)
	port := strings.TrimPrefix(d.url, "http://")
	for _, addr := range []string{port, socket, port + "," + socket, strings.Replace(port, "127.0.0.1", "0.0.0.0", 1)} {
		if code, line := health("GATEWAY_ADDR=" + addr); code != 0 || line != "" {
			t.Errorf("%s: %d: %s", addr, code, line)
		}
	}
	c.Stop()
	waitFor(t, "the gateway to miss Redis", func() bool {
		d.signal(t, syscall.SIGHUP)
		code, line := health("GATEWAY_ADDR=" + port)
		return code == 1 && strings.Contains(line, "not ready: Redis has not been read")
	})
	cmd := c.command(t, "health", "--live", "--addr", port)
	runCommand(t, cmd)
	d.signal(t, syscall.SIGKILL)
	d.wait(t)
	if code, line := health("GATEWAY_ADDR=" + testenv.FreeAddr(t)); code != 1 || !strings.Contains(line, "no gateway listens there") {
		t.Errorf("nobody runs: %d: %s", code, line)
	}

	c.Restart()
	d = c.start(t, "--tls-cert", cert, "--tls-key", key)
	addr := "GATEWAY_ADDR=" + strings.TrimPrefix(d.url, "http://")
	if code, line := health(addr, "GATEWAY_TLS_CERT="+cert, "GATEWAY_TLS_KEY="+key); code != 0 {
		t.Errorf("over TLS: %d: %s", code, line)
	}
	if code, line := health(addr); code != 1 || !strings.Contains(line, "answers 400") {
		t.Errorf("without TLS: %d: %s", code, line)
	}
}

// TestSignalsChangeTheLog makes a running gateway log each request, and stop
// logging them.
func TestSignalsChangeTheLog(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	cmd := c.command(t, "serve", "--addr", "127.0.0.1:0", "--log-level", "info")
	d := c.startCommand(t, cmd)
	d.out.want(t, "loaded from Redis")
	path := "/" + localDest + "/" + mailRepo + "/config"
	module := d.module("mail1")

	module.want(t, http.StatusNotFound, http.MethodHead, path, nil)
	d.signal(t, syscall.SIGUSR1)
	d.out.want(t, `"log_level":"debug"`)
	module.want(t, http.StatusOK, http.MethodPost, path, aConfig)
	line := d.out.want(t, `"msg":"request"`, `"level":"DEBUG"`, `"status":200`)
	if strings.Contains(strings.Join(d.out.all(), "\n"), `"method":"HEAD"`) {
		t.Error("a request was told of before it was asked for")
	}
	if !strings.Contains(line, `"req":"`) || !strings.Contains(line, `"user":"module/mail1"`) {
		t.Errorf("%s", line)
	}
	mark := d.out.mark()
	d.signal(t, syscall.SIGUSR2)
	d.out.wantFrom(t, mark, `"log_level":"info"`)
	d.signal(t, syscall.SIGUSR2)
	d.out.want(t, `"log_level":"warn"`)
	mark = d.out.mark()
	module.want(t, http.StatusForbidden, http.MethodDelete, path, nil)
	d.signal(t, syscall.SIGUSR1)
	d.out.wantFrom(t, mark, `"log_level":"info"`)
	refused := module.want(t, http.StatusForbidden, http.MethodDelete, path, nil)
	id := refused.header.Get("X-Request-Id")
	if !strings.Contains(string(refused.body), id) {
		t.Errorf("the answer does not hold %s: %s", id, refused.body)
	}
	d.out.wantFrom(t, mark, `"req":"`+id+`"`, `"status":403`, `"hint":"a module reaches its own repository`)
	for _, line := range d.out.all()[mark:] {
		if strings.Contains(line, `"status":403`) && !strings.Contains(line, id) {
			t.Errorf("told of though the level was warn: %s", line)
		}
	}
}
