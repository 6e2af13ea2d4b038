package wrapper

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/lease"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

func TestCommandOfRestic(t *testing.T) {
	t.Parallel()
	for want, lines := range map[string][][]string{
		"copy":      {{"copy"}, {"--json", "copy", "--from-repo", "forget"}, {"--retry-lock", "5m", "copy"}, {"-o", "s3.layout=x", "--no-cache", "copy"}},
		"forget":    {{"forget", "--prune"}, {"--retry-lock=5m", "forget"}, {"-q", "forget", "--tag", "copy"}},
		"snapshots": {{"snapshots", "--tag", "prune"}},
		"":          {{}, {"--help"}, {"--repo"}},
	} {
		for _, line := range lines {
			if got := commandOf(line); got != want {
				t.Errorf("%q: %q, want %q", line, got, want)
			}
		}
	}
}

// leases is a gateway that notes what it is asked, and answers with a status.
type leases struct {
	mu    sync.Mutex
	asked []string
}

func (l *leases) serve(t *testing.T, status int, reply adminapi.LeaseReply) (*host.System, restic.Repository) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked adminapi.LeaseRequest
		_ = json.NewDecoder(r.Body).Decode(&asked)
		l.mu.Lock()
		l.asked = append(l.asked, r.Method+" "+asked.Purpose)
		l.mu.Unlock()
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(reply)
	}))
	t.Cleanup(server.Close)
	env := host.NewEnvironment(func(name string) (string, bool) { return server.URL, name == "NS8_GATEWAY_URL" })
	return &host.System{Stdout: io.Discard, Stderr: io.Discard, Env: env}, restic.Repository{URL: server.URL + "/dest/mail/uuid"}
}

func TestCommandsThatDeleteCheckOrCopyHoldALease(t *testing.T) {
	t.Parallel()
	for _, command := range append(append([]string{"backup", "snapshots", "restore", ""}, deleting...), reading...) {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			var gateway leases
			sys, repository := gateway.serve(t, http.StatusOK, adminapi.LeaseReply{Token: "t", Seconds: 60})
			ran := false
			if err := withLease(t.Context(), sys, &run.Waiting{}, repository, command, func(context.Context) error { ran = true; return nil }); err != nil || !ran {
				t.Errorf("%v, it ran: %v", err, ran)
			}
			want := []string{"POST " + command, "DELETE "}
			if !slices.Contains(deleting, command) && !slices.Contains(reading, command) {
				want = nil
			}
			if !slices.Equal(gateway.asked, want) {
				t.Errorf("it asked %q, want %q", gateway.asked, want)
			}
		})
	}
}

func TestCommandsWithoutALease(t *testing.T) {
	t.Parallel()
	held := adminapi.LeaseReply{Held: &adminapi.HeldLease{Holder: "module/mail1", Purpose: "backup"}}
	for name, test := range map[string]struct {
		status  int
		reply   adminapi.LeaseReply
		command string
		runs    bool
		code    exit.Code
	}{
		"somebody holds it: prune does not run": {http.StatusOK, held, "prune", false, exit.Locked},
		"somebody holds it: copy does not run":  {http.StatusOK, held, "copy", false, exit.Locked},
		"without Redis prune does not run":      {http.StatusServiceUnavailable, adminapi.LeaseReply{}, "prune", false, exit.Locked},
		"without Redis unlock does not run":     {http.StatusServiceUnavailable, adminapi.LeaseReply{}, "unlock", false, exit.Locked},
		"without Redis copy runs":               {http.StatusServiceUnavailable, adminapi.LeaseReply{}, "copy", true, exit.OK},
		"without Redis check runs":              {http.StatusServiceUnavailable, adminapi.LeaseReply{}, "check", true, exit.OK},
		"an older gateway: prune runs":          {http.StatusNotFound, adminapi.LeaseReply{}, "prune", true, exit.OK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sys, repository := new(leases).serve(t, test.status, test.reply)
			ran := false
			err := withLease(t.Context(), sys, &run.Waiting{}, repository, test.command, func(context.Context) error { ran = true; return nil })
			code := 0
			if err != nil {
				code = exit.CodeOf(t.Context(), err)
			}
			if ran != test.runs || code != int(test.code) {
				t.Errorf("it ran: %v, %v", ran, err)
			}
		})
	}
}

// TestResticIsInterruptedWhenItsLeaseIsLost has a restic that runs until then.
func TestResticIsInterruptedWhenItsLeaseIsLost(t *testing.T) {
	ctx, lose := context.WithCancelCause(t.Context())
	w := &wrapperArgs{}
	sys := &host.System{Stdout: io.Discard, Stderr: io.Discard, Env: host.NewEnvironment(func(string) (string, bool) { return "", false })}
	out, started := io.Pipe()
	prune := restic.Invocation{Runtime: restic.Native}.With("prune")
	bin := t.TempDir()
	script := []byte("#!/bin/sh\ntrap 'exit 130' INT\necho started\nwhile :; do sleep 0.05; done\n")
	if err := os.WriteFile(filepath.Join(bin, "restic"), script, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	ended := make(chan error)
	go func() { ended <- w.inForeground(ctx, sys, prune, streamsTo(started)) }()
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	lose(lease.ErrLost)
	if err := <-ended; !errors.Is(err, lease.ErrLost) || exit.CodeOf(t.Context(), err) != int(exit.Locked) {
		t.Errorf("it ended with %v", err)
	}
}

func streamsTo(out io.Writer) restic.Streams { return restic.Streams{Stdout: out, Stderr: io.Discard} }
