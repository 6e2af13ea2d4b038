// Package testenv is what tests share that run other programs: what to do where
// one is missing, waiting for what it does, and an address for it.
package testenv

import (
	"net"
	"os"
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

// FreeAddr is a loopback address that nobody listened on a moment ago.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = listener.Close() }() // it was never used
	return listener.Addr().String()
}
