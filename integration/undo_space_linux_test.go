package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// deletedAt is the time of deletion in the name of an entry of the trash.
var deletedAt = regexp.MustCompile(`_d[0-9T.]+Z_`)

// TestAFullDisk fills a real one. Nothing gives way by itself; where it is set so, what
// was deleted first does, and nothing of the last day.
func TestAFullDisk(t *testing.T) {
	if !mayMount(t) {
		return
	}
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=16m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, 0) })
	proof := filepath.Join(t.TempDir(), "audit.jsonl")
	c := newCluster(t)
	c.AddLocalDestination(moreDest, disk)
	log, err := audit.Open(proof, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := c.serve(t, func(o *gateway.Options) { o.StateDir, o.Audit = t.TempDir(), log })
	base := "/" + moreDest + "/" + mailRepo
	save := func() (name string, answer *reply) {
		content, name := blob(1 << 20)
		return name, g.module("mail1").call(t, http.MethodPost, base+"/data/"+name, content)
	}
	var old, young []string
	for i := range 8 {
		name, answer := save()
		if answer.status != http.StatusOK {
			t.Fatalf("pack %d: %d", i, answer.status)
		}
		g.node().want(t, http.StatusOK, http.MethodDelete, base+"/data/"+name, nil)
		if i < 5 {
			old = append(old, name)
		} else {
			young = append(young, name)
		}
	}
	trash := filepath.Join(disk, "rclone-gateway-trash", mailRepo, "kept")
	kept := func(names []string) (n int) {
		for _, file := range filesBelow(t, trash) {
			for _, name := range names {
				if strings.Contains(file, name) {
					n++
				}
			}
		}
		return n
	}
	for _, file := range filesBelow(t, trash) {
		for _, name := range old {
			if !strings.Contains(file, name) {
				continue
			}
			earlier := deletedAt.ReplaceAllString(file, "_d"+time.Now().Add(-30*time.Hour).UTC().Format("20060102T150405.000000Z")+"_")
			if err := os.Rename(filepath.Join(trash, file), filepath.Join(trash, earlier)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var answer *reply
	for range 16 {
		if _, answer = save(); answer.status != http.StatusOK {
			break
		}
	}
	if text := string(answer.body); answer.status != http.StatusInsufficientStorage || !strings.Contains(text, "8388608 bytes") ||
		!strings.Contains(text, "gatewayctl trash empty --destination "+moreDest) {
		t.Errorf("a full disk: %d: %s", answer.status, text)
	}
	if kept(old) != 5 || kept(young) != 3 {
		t.Errorf("by itself something gave way: of 5 and 3 there are %d and %d", kept(old), kept(young))
	}

	c.Do("HSET", catalog.LimitsKey(moreDest), catalog.FieldTrashGivesWay, "1")
	if err := g.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, answer = save(); answer.status != http.StatusServiceUnavailable {
		t.Errorf("an upload that finds the disk full: %d: %s", answer.status, answer.body)
	}
	if _, answer = save(); answer.status != http.StatusOK {
		t.Errorf("the next one: %d: %s", answer.status, answer.body)
	}
	if kept(old) != 0 || kept(young) != 3 {
		t.Errorf("of 5 old and 3 young there are %d and %d", kept(old), kept(young))
	}
	g.log.want(t, `"level":"WARN"`, "a destination is full: purged what was deleted first", `"bytes":5242880`)
	metrics := g.node().want(t, http.StatusOK, http.MethodGet, "/metrics", nil, "Accept", "text/plain")
	if !strings.Contains(string(metrics.body), `rclone_gateway_destination_trash_gave_way_bytes_total{destination="`+moreDest+`"} 5.24288e+06`) {
		t.Error("the metric is missing")
	}
	for range 12 { // there is nothing left that may go
		if _, answer = save(); answer.status != http.StatusOK {
			break
		}
	}
	if answer.status != http.StatusInsufficientStorage || kept(young) != 3 {
		t.Errorf("full of what must stay: %d, and of 3 young there are %d", answer.status, kept(young))
	}
	if lines, err := os.ReadFile(proof); err != nil || !strings.Contains(string(lines), `"what":"give way"`) {
		t.Errorf("the audit log does not tell: %v\n%s", err, lines)
	}
}
