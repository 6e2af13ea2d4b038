package client

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/repotest"
)

const (
	clientSchedule    = "1"
	clientDestination = "14030a59-a4e6-54cc-b8ea-cd5f97fe44c8"
	clientImage       = "docker.io/restic/restic:test"
)

// savedModule is backed up, newModule gets its files.
var (
	savedModule = redistest.Module{ID: "mymodule1", UUID: "9a0fcb6d-5f5b-4f6e-a4f5-1a6b3a4b2c01"}
	newModule   = redistest.Module{ID: "mymodule2", UUID: "1c8a8c0e-90c5-4c5e-8a0f-0d8f2a3c4d02"}
)

// variant is a version of restic, and a way to run it: "native", without a container,
// "rootfull" or "rootless".
type variant struct{ version, kind string }

func (v variant) String() string { return "restic " + v.version + " " + v.kind }

// natives are both versions without a container.
var natives = []variant{{"0.14", "native"}, {"0.18", "native"}}

// onEach runs the test on each of the variants, all at once.
func onEach(t *testing.T, variants []variant, test func(t *testing.T, v variant)) {
	t.Helper()
	t.Parallel()
	for _, v := range variants {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}

// clientWorld is a cluster: Redis, the gateway, and a destination on disk.
type clientWorld struct {
	redis    *redistest.Server
	storage  string
	endpoint string // where the hosts find the gateway
	gateway  *exec.Cmd
}

// newClientWorld has an empty repository of savedModule.
func newClientWorld(t *testing.T) *clientWorld {
	t.Helper()
	w := newClientWorldAt(t, publicDir(t))
	repotest.New(t, 2, redistest.Password(clientDestination)).Save(t, w.repository())
	return w
}

// newClientWorldAt has its destination in the directory storage, and no repository.
func newClientWorldAt(t *testing.T, storage string) *clientWorld {
	t.Helper()
	w := &clientWorld{redis: redistest.Start(t), storage: storage}
	w.redis.SetupNS8()
	w.redis.AddLocalDestination(clientDestination, w.storage)
	w.redis.AddModules(savedModule, newModule)
	w.redis.AddSchedule(redistest.Schedule{ID: clientSchedule, Repository: clientDestination, Name: "nightly", Instances: []string{savedModule.ID}})
	w.redis.Grant(newModule.UUID, savedModule.UUID)
	w.startGateway(t)
	return w
}

// newFilledHost is the host of a module with files, in a world of its own.
func newFilledHost(t *testing.T, v variant) *clientHost {
	t.Helper()
	host := newClientWorld(t).newHost(t, v, savedModule)
	host.fill(t)
	return host
}

// newGatedHost is one whose requests to the gateway go through a gate.
func newGatedHost(t *testing.T, v variant) (*clientHost, *gate) {
	t.Helper()
	return newClientWorld(t).newGatedHost(t, v)
}

func (w *clientWorld) newGatedHost(t *testing.T, v variant) (*clientHost, *gate) {
	t.Helper()
	gate := w.addGate(t)
	host := w.newHost(t, v, savedModule)
	host.fill(t)
	return host, gate
}

func (w *clientWorld) startGateway(t *testing.T) {
	t.Helper()
	// The gateway inherits the socket, as from systemd, so that nobody else can take
	// the port. The shell has the process ID that LISTEN_PID must tell.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	tcp, _ := listener.(*net.TCPListener)
	socket, err := tcp.File()
	if err := errors.Join(err, listener.Close()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	w.gateway = exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" serve`, program(t, "RCLONE_GATEWAY", "bin/rclone-gateway"))
	w.gateway.ExtraFiles = []*os.File{socket}
	w.gateway.Env = append(os.Environ(), "LISTEN_FDS=1", "REDIS_ADDRESS="+w.redis.Addr, "REDIS_USER=node/1",
		"REDIS_PASSWORD="+redistest.Password("node/1"), "NODE_ID=1")
	w.gateway.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	w.gateway.Stderr = t.Output()
	if err := w.gateway.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.stopGateway(t) })
	w.endpoint = "http://" + address
	waitUntil(t, "the gateway is ready", func() bool {
		response, err := http.Get(w.endpoint + "/-/ready")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func (w *clientWorld) stopGateway(t *testing.T) {
	t.Helper()
	if w.gateway == nil {
		return
	}
	_ = w.gateway.Process.Kill()
	_ = w.gateway.Wait()
	w.gateway = nil
}

// repository is where that of savedModule lies in the storage.
func (w *clientWorld) repository() string {
	return filepath.Join(w.storage, "mymodule", savedModule.UUID)
}

// objects are the names of a repository's objects of one type, as they lie in the
// storage.
func (w *clientWorld) objects(t *testing.T, kind string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(w.repository(), kind))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
