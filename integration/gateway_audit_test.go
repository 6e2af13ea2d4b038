package integration

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/changes"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// TestAuditLogSaysWhoDidWhat does what the audit log must hold, by the real programs, and
// proves the log by the head that Redis has.
func TestAuditLogSaysWhoDidWhat(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	proof, err := audit.Open(file, audit.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	g := c.serve(t, func(o *gateway.Options) { o.Audit, o.AuditState = proof, file+".changes" })
	base := "/" + localDest + "/" + mailRepo
	content, name := blob(200)

	g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/config", aConfig)
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/snapshots/"+name, content)
	g.module("mail1").want(t, http.StatusForbidden, http.MethodDelete, base+"/snapshots/"+name, nil)
	g.module("wiki7").want(t, http.StatusForbidden, http.MethodGet, base+"/config", nil)
	g.module("mail1").want(t, http.StatusBadRequest, http.MethodPost, base+"/index/"+nameOf([]byte("x")), []byte("x"))
	g.node().want(t, http.StatusOK, http.MethodDelete, base+"/snapshots/"+name, nil)
	g.node().want(t, http.StatusOK, http.MethodGet, base+"/config", nil)

	admin := changes.Change{Who: "alice", From: "desk", What: "alter destination " + localDest + ": quota=5"}
	p := c.Admin().TxPipeline()
	admin.Write(t.Context(), p)
	p.Publish(t.Context(), catalog.ChannelDestinationChanged, `{"destination_ids":["`+localDest+`"]}`)
	if _, err := p.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	waitFor(t, "the change to be written down", func() bool { return strings.Contains(read(), "alice") })

	for _, want := range []string{
		`"what":"delete","who":"node/1"`,
		`"what":"refused","who":"module/mail1"`,
		`"what":"refused","who":"module/wiki7"`,
		`"what":"save","who":"module/mail1"`,
		`"what":"change","who":"alice","from":"desk"`,
		`"object":"snapshots/` + name, `"repository":"` + mailRepo, `"result":"403"`, `"result":"400"`,
	} {
		if !strings.Contains(read(), want) {
			t.Errorf("the audit log lacks %s:\n%s", want, read())
		}
	}
	if strings.Contains(read(), `"GET"`) && !strings.Contains(read(), "GET: outside") {
		t.Errorf("a read is in the audit log:\n%s", read())
	}
	for _, user := range []string{"node/1", "module/mail1", "module/wiki7"} {
		if strings.Contains(read(), redistest.Password(user)) {
			t.Errorf("the audit log holds the password of %s", user)
		}
	}
	for line := range strings.Lines(read()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
}

// TestAuditLogIsProvenByTheHeadInRedis runs the server with a state directory, kills it,
// runs it again, and then changes its log.
func TestAuditLogIsProvenByTheHeadInRedis(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	state := t.TempDir()
	base := "/" + localDest + "/" + mailRepo
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		d := c.start(t, "--state-dir", state)
		node := callerOf(d.url, "node/1")
		for range 5 {
			_, name := blob(1)
			node.want(t, http.StatusOK, http.MethodDelete, base+"/data/"+name, nil)
		}
		d.signal(t, signal)
		d.wait(t)
	}
	head, err := c.Admin().HGet(t.Context(), catalog.AuditHeadKey("1"), "head").Result()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(state, "audit.jsonl")
	verify := func(args ...string) (string, error) {
		out, err := c.command(t, append([]string{"audit", "verify", "--state-dir", state}, args...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := verify("--head", head); err != nil || !strings.Contains(out, "are unchanged") || !strings.Contains(out, "head "+head) {
		t.Errorf("verify: %v: %s", err, out)
	}
	if out := runCommand(t, c.command(t, "audit", "head", "--audit-log", file)); strings.TrimSpace(out) != head {
		t.Errorf("audit head says %s, Redis %s", out, head)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(content), `"what":"delete"`); n != 10 {
		t.Errorf("%d deletions in the log, want 10:\n%s", n, content)
	}
	for about, change := range map[string]func(string) string{
		"cut off":  func(s string) string { return s[:strings.LastIndex(strings.TrimSuffix(s, "\n"), "\n")+1] },
		"tampered": func(s string) string { return strings.Replace(s, "node/1", "node/2", 1) },
	} {
		writeFile(t, file, []byte(change(string(content))))
		if out, err := verify("--head", head); err == nil || !strings.Contains(out, "the audit log was changed") {
			t.Errorf("%s: verify: %v: %s", about, err, out)
		}
	}
}
