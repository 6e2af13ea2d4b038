package systemd

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// isolatedVariable tells the test binary that its network is its own.
const isolatedVariable = "SYSTEMD_TEST_ISOLATED"

// TestMain gives the tests a network of their own, so that the ports of the guides
// are free: a loopback interface and nothing else. Where that is not allowed, boot
// says so.
func TestMain(m *testing.M) {
	allowed := exec.Command("unshare", "--net", "ip", "link", "set", "lo", "up").Run() == nil
	if allowed && os.Getenv(isolatedVariable) == "" {
		fmt.Fprintln(os.Stderr, "begin again in a network namespace:", isolate())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// isolate returns only where it fails.
func isolate() error {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	argv := append([]string{"unshare", "--net", "sh", "-c", `ip link set lo up && exec "$0" "$@"`, self}, os.Args[1:]...)
	return syscall.Exec(unshare, argv, append(os.Environ(), isolatedVariable+"=1"))
}
