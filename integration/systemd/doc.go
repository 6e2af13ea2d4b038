// Package systemd follows the guides of deploy/ to the letter under a real systemd: one
// that the test boots in namespaces of its own, on a throw-away layer over this
// machine's file system. It holds nothing but tests.
//
// It needs root, Linux, systemd (package systemd), redis-server with its unit, podman
// with runc, restic, and what `make build` builds. What is missing is a failure in CI
// (CI is not empty) and skips the tests elsewhere.
package systemd
