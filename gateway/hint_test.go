package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// TestEveryFailureInTheLogSaysWhatToDo reads the code: each line at the levels
// warn and error has a hint, as has that of a request.
func TestEveryFailureInTheLogSaysWhatToDo(t *testing.T) {
	t.Parallel()
	failures := 0
	for _, line := range loggedLines(t, ".", filepath.Join("..", "cmd", "rclone-gateway")) {
		if line.level == "debug" || line.level == "info" {
			continue
		}
		failures++
		if !slices.Contains(line.keys, "hint") {
			t.Errorf("no hint: %s: %s", line.level, line.message)
		}
	}
	if failures < 20 {
		t.Errorf("%d lines were found", failures)
	}
}

func TestEveryRefusalHasItsHint(t *testing.T) {
	t.Parallel()
	fallback := hint(http.StatusBadGateway, errors.New("nobody knows this"))
	for _, row := range statuses {
		if row.err == storage.ErrUnavailable {
			continue // what it wraps has the hint
		}
		got := hint(row.status, fmt.Errorf("around: %w", row.err))
		if got == fallback || got == "" || strings.Contains(got, "\n") {
			t.Errorf("%v: %q", row.err, got)
		}
	}
}

func TestHintsOfStorages(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"dial tcp: lookup nas: no such host":                                                             "cannot be resolved",
		"dial tcp 10.0.0.1:9000: connection refused":                                                     "nothing listens",
		"x509: certificate signed by unknown authority":                                                  "certificate",
		"InvalidAccessKeyId: the key does not exist":                                                     "does not accept the credentials",
		"get credentials: failed to refresh cached credentials, no EC2 IMDS role found, StatusCode: 403": "does not accept the credentials",
		"serialization failed: input member Key must not be empty":                                       "names no bucket",
		"ssh: handshake failed: knownhosts: key mismatch":                                                "host key",
		"ssh: handshake failed: sftp: host key mismatch for nas: server offered ssh-ed25519 key":         "host key",
		"decode account key: illegal base64 data at input byte 4":                                        "does not accept the credentials",
		"open /srv/file/x: not a directory":                                                              "is a file",
		"NoSuchBucket":                                                                                   "does not exist",
		"AccessDenied":                                                                                   "refuses this",
		"something that nobody has ever heard":                                                           "gatewayctl destination check",
	} {
		if got := hint(http.StatusBadGateway, fmt.Errorf("%w: %s", storage.ErrUnavailable, text)); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := hint(statusClientGone, errWrongPassword); !strings.Contains(got, "the client left") {
		t.Errorf("of a client that left: %q", got)
	}
}
