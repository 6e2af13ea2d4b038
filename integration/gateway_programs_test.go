package integration

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// programs says where make puts what the tests run, by the variable that names it.
var programs = map[string]string{
	"RCLONE_GATEWAY": "bin/rclone-gateway",
	"GATEWAYCTL":     "bin/gatewayctl",
	"RCLONE":         ".cache/bin/rclone",
	"RESTIC_0_14":    ".cache/restic/0.14/restic",
	"RESTIC_0_18":    ".cache/restic/0.18/restic",
}

// program returns the path of a program that the environment names. Without it
// the test fails in CI and is skipped elsewhere.
func program(t testing.TB, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		path = filepath.Join("..", programs[variable])
	}
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err == nil {
		return path
	}
	testenv.Missing(t, "$%s: %v: run `make deps build`", variable, err)
	return ""
}

// process is a program that runs beside the test and ends with it.
type process struct {
	cmd *exec.Cmd
	out *logbook // of both its outputs
	// exited is closed when the process has ended; cmd.ProcessState is set then.
	exited chan struct{}
}

// startProcess starts cmd. What it prints is searched for secrets.
func startProcess(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, out: newLogbook(t), exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // ProcessState tells
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-p.exited
	})
	return p
}

// signal sends a signal to the process.
func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// wait returns the exit code; -1 stands for a signal.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-p.exited:
	case <-limit.C:
		t.Fatalf("waited %v for the process to end", patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

var servedURL = regexp.MustCompile(`https?://127\.0\.0\.1:\d+`)

// startRclone runs `rclone serve` for a protocol and returns its URL.
func startRclone(t *testing.T, protocol, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program(t, "RCLONE"), append([]string{
		"serve", protocol, "--config", "", "--addr", "127.0.0.1:0", "--log-level", "INFO", "--log-format", "", dir,
	}, args...)...)
	p := startProcess(t, cmd)
	return servedURL.FindString(p.out.want(t, "http://127.0.0.1:"))
}

// serveS3 starts an S3 server with these buckets. What it returns passes requests on
// to it: a test may put itself between.
func serveS3(t *testing.T, buckets ...string) http.Handler {
	t.Helper()
	dir := t.TempDir()
	for _, bucket := range buckets {
		if err := os.Mkdir(filepath.Join(dir, bucket), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	server, err := url.Parse(startRclone(t, "s3", dir, "--auth-key", s3AccessKey+","+s3SecretKey))
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(server)
		r.Out.Host = r.In.Host // which is signed
	}}
}

// addS3Destination adds a destination on an S3 server of its own and returns the
// directory in which that keeps the buckets.
func addS3Destination(t *testing.T, c *cluster, id string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	endpoint := startRclone(t, "s3", dir, "--auth-key", s3AccessKey+","+s3SecretKey)
	c.AddDestinations(s3Destination(id, endpoint))
	return dir
}

func s3Destination(id, endpoint string) redistest.Destination {
	return redistest.Destination{
		ID: id, Name: "S3", Provider: "generic-s3",
		URL: "s3:" + strings.TrimPrefix(endpoint, "http://") + "/backups/" + id,
		RcloneConf: fmt.Sprintf("[%s]\ntype = s3\nprovider = Rclone\nendpoint = %s\naccess_key_id = %s\nsecret_access_key = %s\n",
			id, endpoint, s3AccessKey, s3SecretKey),
	}
}

// runCommand runs a program to its end, which must be a success.
func runCommand(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// commandContext bounds a program that the test waits for.
func commandContext(t testing.TB, path string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, path, args...)
}
