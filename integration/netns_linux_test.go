package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// netns is a host of a test's own, as far as its network and its mounts go. It ends with
// the process that holds it.
type netns struct{ pid string }

// newNetns makes one with a loopback interface and nothing else. Where that is not
// allowed the test fails in CI and is skipped elsewhere.
func newNetns(t *testing.T) *netns {
	t.Helper()
	if os.Geteuid() != 0 {
		testenv.Missing(t, "only root can make a network of its own")
	}
	cmd := exec.Command("unshare", "--net", "--mount", "sh", "-c", "ip link set lo up && echo ready && exec sleep infinity")
	holder := startProcess(t, cmd)
	holder.out.want(t, "ready")
	return &netns{strconv.Itoa(cmd.Process.Pid)}
}

// enter is a command that runs there what comes behind it.
func (n *netns) enter() []string {
	return []string{"nsenter", "--target", n.pid, "--net", "--mount", "--"}
}

// moved is the command, run there.
func (n *netns) moved(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		testenv.Missing(t, "no nsenter: install util-linux")
	}
	cmd.Args = append(append(n.enter(), cmd.Path), cmd.Args[1:]...)
	cmd.Path = nsenter
	return cmd
}

// run runs a program there.
func (n *netns) run(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		testenv.Missing(t, "no %s: %v", name, err)
	}
	runCommand(t, n.moved(t, commandContext(t, path, args...)))
}

// inside calls f on a thread that is in that network. The thread comes back: who ends it
// would end the children that were started on it.
func (n *netns) inside(f func() error) error {
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			ended <- err
			return
		}
		defer home.Close()
		there, err := os.Open("/proc/" + n.pid + "/ns/net")
		if err != nil {
			ended <- err
			return
		}
		defer there.Close()
		if err = unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err == nil {
			err = f()
			if errBack := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); errBack != nil {
				panic(errBack)
			}
			runtime.UnlockOSThread()
		}
		ended <- err
	}()
	return <-ended
}

// client is one whose requests come from there, each over a connection of its own.
func (n *netns) client() *http.Client { return n.clientFrom("") }

// clientFrom is client with one of several addresses that the network has.
func (n *netns) clientFrom(ip string) *http.Client {
	dial := func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = n.inside(func() error {
			var dialer net.Dialer
			if ip != "" {
				dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(ip)}
			}
			conn, err = dialer.DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true}}
}

// tun makes an interface there, whose packets go through the file.
func (n *netns) tun(t *testing.T, name string) *os.File {
	t.Helper()
	var file *os.File
	err := n.inside(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		request, err := unix.NewIfreq(name)
		if err == nil {
			request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
		}
		// Not before: a tunnel that has no interface yet is never ready to be read.
		file = os.NewFile(uintptr(fd), "/dev/net/tun")
		return err
	})
	if err != nil {
		testenv.Missing(t, "an interface of a tunnel needs /dev/net/tun: %v", err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// secureClient is client for servers that a CA of a test vouches for.
func (n *netns) secureClient(t *testing.T, ca string) *http.Client {
	t.Helper()
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	client := n.client()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	if over, isTransport := client.Transport.(*http.Transport); isTransport {
		over.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return client
}
