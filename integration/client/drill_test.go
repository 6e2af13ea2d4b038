package client

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// wantProven has the host's module prove that its backup can be restored: what is restored
// into a throw-away place, by restic as the host runs it, is compared with the source and
// shown to the module's own command, by whoever owns the files.
func (h *clientHost) wantProven(t *testing.T) {
	t.Helper()
	h.write(t, "install/bin/module-verify-state", "#!/bin/bash\nset -e\ncd \"$1\"\n[[ $(cat volumes/data/hard\\ link) == text && -d state/things ]]\n", 0o755)
	h.check(t, os.Mkdir(h.path("drills"), 0o755))
	h.check(t, h.own(h.path("drills")))
	got := h.run(t, "module-drill", "--json", "--dir", h.path("drills")).succeed(t)
	var report struct {
		Outcome  string  `json:"outcome"`
		Files    int     `json:"files"`
		Compared int     `json:"compared"`
		Verified bool    `json:"verified"`
		Seconds  float64 `json:"restore_seconds"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
		t.Fatal(err)
	}
	if report.Outcome != "proven" || report.Files == 0 || report.Compared < 5 || !report.Verified || report.Seconds <= 0 {
		t.Errorf("the drill came to %+v", report)
	}
	if left, err := filepath.Glob(h.path("drills/gatewayctl-drill-*/*")); err != nil || len(left) > 0 {
		t.Errorf("it left %q, %v", left, err)
	}
}
