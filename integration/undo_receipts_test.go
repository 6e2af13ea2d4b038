package integration

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// TestAReceiptCannotBeRenewed sends a snapshot again, and deletes it and brings it back:
// its time stays that of the first receipt. So it is on a disk, and on each way to keep
// what was deleted elsewhere.
func TestAReceiptCannotBeRenewed(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *storageServer{
		"local": nil, "MinIO": startMinIO, "OpenSSH": startSSH, "Azurite": startAzurite,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, dest := newCluster(t), localDest
			var g *served
			if start == nil {
				g = c.serve(t)
			} else {
				s := start(t)
				dest = moreDest
				c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
				g = s.gateway(t, c)
			}
			base := "/" + dest + "/" + mailRepo
			module := g.module("mail1")
			module.want(t, http.StatusOK, http.MethodPost, base+"/?create=true", nil)
			lock, lockName := blob(160)
			module.want(t, http.StatusOK, http.MethodPost, base+"/locks/"+lockName, lock)
			content, id := blob(300)
			path := base + "/snapshots/" + id
			module.want(t, http.StatusOK, http.MethodPost, path, content)
			received := func() string {
				return g.node().want(t, http.StatusOK, http.MethodHead, path, nil).header.Get("Last-Modified")
			}
			first := received()
			if at, err := http.ParseTime(first); err != nil || time.Since(at).Abs() > time.Hour {
				t.Fatalf("it was received at %q, %v", first, err)
			}
			again := func(what string) {
				t.Helper()
				nextSecond(t)
				module.want(t, http.StatusOK, http.MethodPost, path, content)
				if got := received(); got != first {
					t.Errorf("%s, it was received at %s; want %s", what, got, first)
				}
			}
			again("sent again")
			for range 2 {
				g.node().want(t, http.StatusOK, http.MethodDelete, path, nil)
				if done := bringBack(t, g, dest, mailRepo); done.Objects != 1 {
					t.Errorf("brought back %+v", done)
				}
				if got := received(); got != first {
					t.Errorf("brought back, it was received at %s; want %s", got, first)
				}
			}
			again("brought back and sent again")
		})
	}
}

// TestTheCheckSaysWhatProtects what is deleted past the gateway.
func TestTheCheckSaysWhatProtects(t *testing.T) {
	t.Parallel()
	s := startMinIO(t)
	admin := adminOf(s)
	c := newCluster(t)
	const plainDest, versionedDest, safeDest = governedDest, compliantDest, moreDest
	admin.versionedBucket(t, "versioned")
	c.AddDestinations(
		onS3(plainDest, "plain", s.section(s.secret)),
		onS3(versionedDest, "versioned", s.section(s.secret)),
		onS3(safeDest, "versioned", admin.keyThatKeepsVersions(t, "versioned")),
	)
	g := c.serve(t)
	g.node().want(t, http.StatusOK, http.MethodPost, "/"+plainDest+"/"+mailRepo+"/?create=true", nil)
	for dest, want := range map[string]string{
		plainDest:     "the storage keeps no versions",
		versionedDest: "but its keys delete them too",
		safeDest:      "and its keys do not delete them",
		localDest:     "it is a directory",
	} {
		answer := g.node().want(t, http.StatusOK, http.MethodPost, adminapi.CheckPath, []byte(`{"id":"`+dest+`"}`))
		var report adminapi.CheckReport
		if err := json.Unmarshal(answer.body, &report); err != nil || report.Error != "" || report.Undo == nil {
			t.Fatalf("%s, %v", answer.body, err)
		}
		text := strings.Join(report.Undo.Lines(), "\n")
		kind := adminapi.UndoMarks
		if dest == localDest {
			kind = adminapi.UndoRename
		}
		if report.Undo.Kind != kind || report.Undo.Receipts != adminapi.ReceiptsKept || !strings.Contains(text, want) || !strings.Contains(text, "7 days") {
			t.Errorf("%+v: %s; want %q", report.Undo, text, want)
		}
	}
	// With the key that keeps versions all is deleted, past the gateway, and comes back.
	content, name := blob(300)
	base := "/" + safeDest + "/" + mailRepo + "/snapshots/" + name
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, base, content)
	admin.deleteWith(t, admin.keyThatKeepsVersions(t, "versioned"), "versioned", "servers/"+mailRepo+"/snapshots/"+name)
	g.node().want(t, http.StatusNotFound, http.MethodGet, base, nil)
	admin.bringBack(t, "versioned", "servers/"+mailRepo+"/snapshots/"+name)
	if got := g.node().want(t, http.StatusOK, http.MethodGet, base, nil); nameOf(got.body) != name {
		t.Error("it came back with other content")
	}
}
