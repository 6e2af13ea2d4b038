// Package redistest starts real Redis servers for tests, and fills them the way
// a NethServer 8 cluster does.
package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// patience bounds everything that waits for a server. A machine that is busy may hold
// up a process for many seconds.
const patience = 2 * time.Minute

// AdminUser is the user that may do everything, as on NethServer 8; its
// password is Password(AdminUser).
const AdminUser = "cluster"

// Server is a redis-server process that ends with the test. Its methods fail
// the test when they fail, and are for the test's own goroutine.
type Server struct {
	// Addr is host:port on the loopback address, the same after a restart.
	Addr string
	// Socket is the path of the server's unix socket.
	Socket string

	tb     testing.TB
	apart  bool // it runs in a network of its own
	dir    string
	args   []string
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
	admin  *redis.Client
}

// Start runs a redis-server without persistence, with the additional arguments
// (such as "--replicaof", "127.0.0.1 6379"). User default may do everything
// until SetupNS8. Without a redis-server the test fails in CI and is skipped
// elsewhere.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		testenv.Missing(tb, "no redis-server: install it (Debian, Ubuntu and Fedora: packages redis-server or redis)")
	}
	_, port, _ := net.SplitHostPort(testenv.FreeAddr(tb))
	return start(tb, []string{path}, port, nil, args)
}

// Place is a network of its own that a server runs in. From outside it is reached by its
// socket, which [Server.Admin] and [Server.Client] do.
type Place struct {
	// Enter is a command that runs there what comes behind it.
	Enter []string
	// Addresses are those that the server listens on, beside 127.0.0.1; Port is for all.
	Addresses []string
	Port      string
}

// StartAt is [Start] for a server in another place.
func StartAt(tb testing.TB, place Place, args ...string) *Server {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		testenv.Missing(tb, "no redis-server: install it (Debian, Ubuntu and Fedora: packages redis-server or redis)")
	}
	return start(tb, append(slices.Clone(place.Enter), path), place.Port, place.Addresses, args)
}

func start(tb testing.TB, command []string, port string, addresses, args []string) *Server {
	tb.Helper()
	dir := shortTempDir(tb)
	s := &Server{
		Addr: "127.0.0.1:" + port, Socket: filepath.Join(dir, "redis.sock"),
		tb: tb, dir: dir, apart: len(command) > 1,
	}
	s.writeFile("users.acl", fmt.Sprintf("user default on nopass ~* &* +@all\nuser %s on #%s ~* &* +@all\n",
		AdminUser, digest(Password(AdminUser))))
	tb.Cleanup(s.Kill)

	s.args = slices.Concat(command, []string{"--bind", "127.0.0.1"}, addresses, []string{
		"--port", port, "--unixsocket", s.Socket,
		"--save", "", "--appendonly", "no", "--dir", dir,
		"--aclfile", filepath.Join(dir, "users.acl"),
	}, args)
	if err := s.run("Ready to accept connections"); err != nil {
		tb.Fatalf("start redis-server: %v", err)
	}
	s.admin = s.Client(AdminUser, Password(AdminUser))
	return s
}

// StartSentinel runs a Sentinel that watches the master under the name given,
// and returns its host:port.
func StartSentinel(tb testing.TB, name string, master *Server) string {
	tb.Helper()
	return Sentinel{}.Start(tb, name, master, master.Addr)
}

// Client connects as the user; it is closed with the test. The user "" is
// default without authentication.
func (s *Server) Client(user, password string) *redis.Client {
	network, addr := "tcp", s.Addr
	if s.apart {
		network, addr = "unix", s.Socket
	}
	c := redis.NewClient(&redis.Options{
		Network: network, Addr: addr, Username: user, Password: password,
		DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience,
		// Redis 7.0 knows neither of these commands.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	s.tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Admin is a connection that may do everything.
func (s *Server) Admin() *redis.Client { return s.admin }

// Do runs a command as the administrator, for whatever has no method here.
func (s *Server) Do(args ...any) any {
	s.tb.Helper()
	v, err := s.admin.Do(s.tb.Context(), args...).Result()
	s.must(err)
	return v
}

// Kill ends the process at once, as a crash does; its data is lost.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // ends a paused process too
	<-s.exited
	s.cmd = nil
}

// Stop saves the data and ends the process.
func (s *Server) Stop() {
	s.tb.Helper()
	s.Do("ACL", "SAVE")
	s.Do("SAVE")
	s.Kill()
}

// Restart runs the server again, on the same address and with what Stop saved.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	s.must(s.run("Ready to accept connections"))
}

// Pause freezes the process: connections are accepted by the kernel, and
// nothing answers.
func (s *Server) Pause() {
	s.tb.Helper()
	s.must(s.cmd.Process.Signal(syscall.SIGSTOP))
}

// Resume ends a Pause.
func (s *Server) Resume() {
	s.tb.Helper()
	s.must(s.cmd.Process.Signal(syscall.SIGCONT))
}

// run starts the process and waits until it logs that it is ready.
func (s *Server) run(ready string) error {
	cmd := exec.Command(s.args[0], s.args[1:]...)
	cmd.SysProcAttr = dieWithParent()
	log, out := io.Pipe()
	cmd.Stdout, cmd.Stderr = out, out
	started, exited := make(chan error), make(chan struct{})
	go func() {
		// The server dies with the thread that has started it, which another
		// goroutine could end.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // nobody asks how it ended
		}
		_ = out.Close()
		close(exited)
	}()
	if err := <-started; err != nil {
		return err
	}
	s.cmd, s.exited = cmd, exited

	result := make(chan error, 1)
	go func() { result <- awaitLine(log, ready) }()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	var err error
	select {
	case err = <-result:
	case <-limit.C:
		s.Kill()
		err = errors.Join(fmt.Errorf("it was not ready after %v", patience), <-result)
	}
	if err != nil {
		s.Kill()
	}
	return err
}

// awaitLine returns when there is a line with the text, and throws away all others.
func awaitLine(log io.Reader, text string) error {
	var said []string
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), text) {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return nil
		}
	}
	return fmt.Errorf("it ended with:\n%s", strings.Join(said, "\n"))
}

func (s *Server) must(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatalf("redis-server at %s: %v", s.Addr, err)
	}
}

func (s *Server) writeFile(name, content string) (path string) {
	s.tb.Helper()
	path = filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.tb.Fatal(err)
	}
	return path
}

// shortTempDir is a directory whose path leaves room for the name of a unix
// socket, which tb.TempDir does not promise.
func shortTempDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
