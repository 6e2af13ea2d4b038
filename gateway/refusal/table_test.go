package refusal_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

func TestEveryRefusalHasItsHint(t *testing.T) {
	t.Parallel()
	fallback := refusal.Hint(errors.New("nobody knows this"))
	for _, kind := range refusal.Kinds() {
		if kind.Err == storage.ErrUnavailable || kind.Status == 0 {
			continue // what it wraps has the hint
		}
		got := refusal.Hint(fmt.Errorf("around: %w", kind.Err))
		if got == fallback || got == "" || strings.Contains(got, "\n") {
			t.Errorf("%v: %q", kind.Err, got)
		}
	}
}

// TestRowsAreReachable fails for a row that can never be the first for anything,
// because an error that it wraps stands before it with the same fields.
func TestRowsAreReachable(t *testing.T) {
	t.Parallel()
	kinds := refusal.Kinds()
	for i, kind := range kinds {
		for _, before := range kinds[:i] {
			if errors.Is(kind.Err, before.Err) {
				t.Errorf("%q stands behind %q, which it wraps", kind.Err, before.Err)
			}
		}
	}
}

func TestWhatOneRowLeavesOutTheNextSays(t *testing.T) {
	t.Parallel()
	notMounted := fmt.Errorf("%w on /mnt/disk: it is away", storage.ErrNotMounted)
	for _, tt := range []struct {
		name    string
		err     error
		status  int
		outcome refusal.Outcome
		class   refusal.Class
	}{
		{"a disk that is away", notMounted, http.StatusServiceUnavailable, refusal.Failed, refusal.Unavailable},
		{"an open circuit", refusal.ErrCircuitOpen, http.StatusServiceUnavailable, refusal.Failed, refusal.Unavailable},
		{"an entry of Redis that says nothing", refusal.ErrEntry, http.StatusServiceUnavailable, refusal.Failed, refusal.Unavailable},
		{"a quota", refusal.ErrQuota, http.StatusInsufficientStorage, refusal.Answered, refusal.Full},
		{"permission, while opening", fmt.Errorf("%w: %w", storage.ErrUnavailable, fs.ErrPermission), http.StatusServiceUnavailable, refusal.Failed, refusal.Denied},
		{"a wrong password", refusal.ErrWrongPassword, http.StatusUnauthorized, refusal.Failed, refusal.Other},
		{"a vendor's word", errors.New("s3: AccessDenied"), http.StatusBadGateway, refusal.Failed, refusal.Denied},
		{"throttled", storage.ErrThrottled, http.StatusServiceUnavailable, refusal.Failed, refusal.Throttled},
		{"no answer", context.DeadlineExceeded, http.StatusBadGateway, refusal.Failed, refusal.Timeout},
		{"a broken disk", syscall.EIO, http.StatusBadGateway, refusal.Failed, refusal.Other},
	} {
		if got := refusal.Status(tt.err); got != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, got, tt.status)
		}
		if got := refusal.OutcomeOf(tt.err); got != tt.outcome {
			t.Errorf("%s: outcome %d, want %d", tt.name, got, tt.outcome)
		}
		if got := refusal.ClassOf(tt.err); got != tt.class {
			t.Errorf("%s: class %s, want %s", tt.name, got, tt.class)
		}
	}
}

func TestReasonsOfTheMetrics(t *testing.T) {
	t.Parallel()
	stalled := fmt.Errorf("%w: 3 bytes are missing: %w", storage.ErrShort, refusal.ErrStalled)
	for _, tt := range []struct {
		err          error
		auth, upload string
	}{
		{refusal.ErrUnknownUser, "unknown_user", ""},
		{refusal.ErrScope, "scope", ""},
		{refusal.ErrQuota, "", "quota"},
		{syscall.EDQUOT, "", "full"},
		{stalled, "", "stalled"},
		{storage.ErrUnavailable, "", ""},
	} {
		if auth, upload := refusal.AuthReason(tt.err), refusal.UploadReason(tt.err); auth != tt.auth || upload != tt.upload {
			t.Errorf("%v: %q, %q; want %q, %q", tt.err, auth, upload, tt.auth, tt.upload)
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
		"https response error StatusCode: 500, api error InternalError: x":                               "cannot serve now",
		"Put \"http://nas/x\": 503 Service Unavailable":                                                  "cannot serve now",
		"NoSuchBucket":                         "does not exist",
		"AccessDenied":                         "gatewayctl destination check names the permission",
		"open /srv/x: permission denied":       "check owner and mode of the directory; gatewayctl destination check",
		"something that nobody has ever heard": "gatewayctl destination check",
	} {
		if got := refusal.Hint(fmt.Errorf("%w: %s", storage.ErrUnavailable, text)); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestAStorageThatWantsFewerRequestsIsKnown(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("%w: operation error S3: ListObjects, StatusCode: 503, api error SlowDown", storage.ErrThrottled)
	if cure := refusal.Advise(err); !cure.Known || cure.Reached || !strings.Contains(cure.Text, "fewer requests") {
		t.Errorf("%+v", cure)
	}
}
