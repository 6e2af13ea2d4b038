package integration

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// TestAnFTPServerThatAllowsFourConnectionsEndsItsLists backs up to a server that takes
// no fifth connection, and has restic look at all that is there.
func TestAnFTPServerThatAllowsFourConnectionsEndsItsLists(t *testing.T) {
	t.Parallel()
	s := startFTPFor(t, 4)
	c := newCluster(t)
	c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
	g := c.serve(t)
	module := newRestic(t, "RESTIC_0_18", g.url+"/"+moreDest, mailRepo, "module/mail1")
	tree := storageTree(t, 1<<20)
	module.run(t, "init")
	// Packs in many directories: each is listed over a connection of its own.
	base := "/" + moreDest + "/" + mailRepo
	for range 40 {
		content, name := blob(100)
		g.node().want(t, http.StatusOK, http.MethodPost, base+"/data/"+name, content)
	}
	module.run(t, "backup", tree)
	if packs := listed(t, g, base+"/data/"); len(packs) < 41 {
		t.Errorf("%d packs are listed", len(packs))
	}
	newRestic(t, "RESTIC_0_18", g.url+"/"+moreDest, mailRepo, "node/1").run(t, "prune") // packs that nothing names
	module.run(t, "check")
	answer := g.node().want(t, http.StatusOK, http.MethodPost, adminapi.CheckPath, []byte(`{"id":"`+moreDest+`"}`))
	var report adminapi.CheckReport
	// The check connects again, while the gateway keeps its own connections for a minute.
	if err := json.Unmarshal(answer.body, &report); err != nil || report.Error != "" && !strings.Contains(report.Reason, "set concurrency") {
		t.Errorf("the check: %+v, %v", report, err)
	}
}
