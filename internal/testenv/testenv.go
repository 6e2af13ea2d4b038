// Package testenv is what tests share that run other programs: what to do where
// one is missing, waiting for what it does, and an address for it.
package testenv

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

// Missing ends a test that lacks something: it fails in CI ($CI is not empty), where
// everything must be there, and is skipped elsewhere. The text says what to install.
func Missing(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv("CI") != "" {
		tb.Fatalf(format, args...)
	}
	tb.Skipf(format, args...)
}

// Until polls until done says so, and fails the test after limit.
func Until(tb testing.TB, limit time.Duration, what string, done func() bool) {
	tb.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-deadline.C:
			tb.Fatalf("waited %v for %s", limit, what)
		}
	}
}

// The ports of FreeAddr: none that the kernel gives to whoever asks for any, and none of
// well-known servers.
const (
	firstPort = 20_000
	ports     = 12_000
)

// FreeAddr is a loopback address that is this test's alone until it ends: a server
// that is started there later, or again, finds it free.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	for range ports {
		port := firstPort + rand.IntN(ports)
		if reserve(tb, port) {
			return fmt.Sprintf("127.0.0.1:%d", port)
		}
	}
	tb.Fatalf("no port from %d to %d is free", firstPort, firstPort+ports-1)
	return ""
}

// reserve takes the port, unless another test has, or anybody else listens there. In
// all processes the tests agree by a name that the kernel forgets with its owner.
func reserve(tb testing.TB, port int) bool {
	tb.Helper()
	if runtime.GOOS == "linux" {
		name, err := net.Listen("unix", fmt.Sprintf("@rclone-gateway test port %d", port))
		if err != nil {
			return false
		}
		tb.Cleanup(func() { _ = name.Close() })
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		_ = listener.Close() // it was never used
	}
	return err == nil
}
