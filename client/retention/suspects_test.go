package retention_test

import (
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/retention"
)

func TestSuspects(t *testing.T) {
	t.Parallel()
	by := retention.GroupBy{Host: true, Paths: true}
	if found := retention.Suspects(daily(10), by, now); len(found) != 0 {
		t.Errorf("honest snapshots are suspected: %+v", found)
	}
	small := forged("small", now, now)
	small.Size = 100
	other := forged("other", now, now)
	other.Hostname = "elsewhere"
	late := forged("late", now.AddDate(5, 0, 0), now)
	why := map[string]string{}
	for _, s := range retention.Suspects(append(daily(10), small, other, late), by, now) {
		why[s.ID] += s.Why + "; "
	}
	for id, want := range map[string]string{"small": "it holds 100 bytes", "other": "it is from host elsewhere, most are from h", "late": "it claims 2031"} {
		if !strings.Contains(why[id], want) {
			t.Errorf("%s: %q, want %q", id, why[id], want)
		}
	}
	if len(why) != 3 {
		t.Errorf("suspected are %v", why)
	}
}
