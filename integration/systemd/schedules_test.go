package systemd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ns8Units are those of NethServer 8 for a schedule: another program's.
var ns8Units = map[string]string{
	"/etc/systemd/system/backup1.timer":   "[Timer]\nOnCalendar=yearly\n",
	"/etc/systemd/system/backup1.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n",
}

// wantTimersRun has the timers of "schedule install" run the schedule 1 of the module
// notes1 every minute, as the guide says.
func wantTimersRun(t *testing.T, h *host) {
	t.Helper()
	for path, text := range ns8Units {
		h.write(t, path, text, 0o644)
	}
	h.run(t, "systemctl", "daemon-reload")
	h.run(t, "systemctl", "start", "backup1.timer")
	h.run(t, "/usr/local/bin/gatewayctl", "schedule", "alter", "1", "--when", "minutely", "--prune", "daily", "--check", "daily", "--drill", "daily")
	g := openGuide(t, h.machine, "docs/how-to/schedules.md")
	if listed := g.followUntil(t, "schedule install", ""); !strings.Contains(listed, "rclone-gateway-backup-1.timer") {
		t.Errorf("the timers are\n%s", listed)
	}

	var status struct {
		OK      bool
		Verdict string
		Modules []struct {
			Module  string     `json:"module"`
			Success *time.Time `json:"last_success"`
			Checked *time.Time `json:"last_check"`
			Proven  *time.Time `json:"last_proven_restorable"`
		}
	}
	waitFor(t, "a timer to have run all of the schedule", func() bool {
		said := h.asNode("status", "--module", "notes1", "--json")
		return json.Unmarshal([]byte(said), &status) == nil && status.OK && len(status.Modules) == 1 && status.Modules[0].Proven != nil
	})
	if m := status.Modules[0]; m.Success == nil || m.Checked == nil {
		t.Errorf("%s: %+v", status.Verdict, m)
	}
	listed := h.asNode("runs", "list", "--module", "notes1", "--outcome", "done", "--json")
	var runs []struct {
		Kind    string
		Planned time.Time
	}
	if err := json.Unmarshal([]byte(listed), &runs); err != nil {
		t.Fatalf("%v: %s", err, listed)
	}
	kinds := map[string]bool{}
	for _, r := range runs {
		kinds[r.Kind] = true
		if r.Planned.IsZero() || r.Planned.Second() != 0 {
			t.Errorf("a %s was planned for %s", r.Kind, r.Planned)
		}
	}
	if len(kinds) != 5 {
		t.Errorf("the history has only %v", kinds)
	}

	// A change is taken over by the timer that keeps the others in step.
	h.run(t, "/usr/local/bin/gatewayctl", "schedule", "alter", "1", "--when", "Mon 03:00")
	h.run(t, "systemctl", "start", "rclone-gateway-schedules.service")
	if timer := h.run(t, "systemctl", "cat", "rclone-gateway-backup-1.timer"); !strings.Contains(timer, "OnCalendar=Mon *-*-* 03:00:00") {
		t.Errorf("after the change the timer is\n%s", timer)
	}
	h.asNode("schedule", "install", "--remove")
	glob(t, 0, h.root, "/etc/systemd/system", "rclone-gateway-backup-*")
	for path, text := range ns8Units {
		if now, err := os.ReadFile(filepath.Join(h.root, path)); err != nil || string(now) != text {
			t.Errorf("%s is %q, %v", path, now, err)
		}
	}
	if state := h.run(t, "systemctl", "is-active", "backup1.timer"); state != "active" {
		t.Errorf("NethServer 8's timer is %s", state)
	}
	h.run(t, "systemctl", "stop", "backup1.timer")
}

// asNode runs gatewayctl with the environment of the node, whatever its exit status, and
// returns what it prints to stdout.
func (h *host) asNode(args ...string) string {
	return h.try("sh", append([]string{"-c", `/usr/local/bin/gatewayctl --env-file /etc/rclone-gateway/node.env "$@" 2>/dev/null`, "sh"}, args...)...)
}
