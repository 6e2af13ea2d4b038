package integration

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// keeper runs gatewayctl as a node does, with that restic.
type keeper struct {
	c    *cluster
	g    *served
	dest string
	bin  string
}

func newKeeper(t *testing.T, c *cluster, g *served, dest, version string) *keeper {
	t.Helper()
	bin := t.TempDir()
	if err := os.Symlink(program(t, version), filepath.Join(bin, "restic")); err != nil {
		t.Fatal(err)
	}
	c.Do("HSET", catalog.ResticPassword, dest, resticPassword)
	return &keeper{c, g, dest, bin}
}

func (a *keeper) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := commandContext(t, program(t, "GATEWAYCTL"), args...)
	cmd.Env = []string{
		"PATH=" + a.bin + ":" + os.Getenv("PATH"), "HOME=" + a.bin, "USER=alice", "NS8_RESTIC_RUNTIME=native", "NS8_GATEWAY_URL=" + a.g.url,
		"REDIS_ADDRESS=" + a.c.Addr, "REDIS_REPLICA_ADDRESS=" + a.c.Addr, "REDIS_USER=node/1", "REDIS_PASSWORD=" + redistest.Password("node/1"), "NODE_ID=1",
	}
	return cmd
}

// repository runs a command for a repository, which must succeed.
func (a *keeper) repository(t *testing.T, repo, verb string, args ...string) string {
	t.Helper()
	return runCommand(t, a.command(t, append([]string{"repository", verb, "--destination", a.dest, "--repository", repo}, args...)...))
}

// onDiskAndBucket tests a gateway with a disk, or with a bucket.
func onDiskAndBucket(t *testing.T, test func(t *testing.T, c *cluster, g *served, dest string)) {
	t.Helper()
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		test(t, c, c.serve(t), localDest)
	})
	t.Run("MinIO", func(t *testing.T) {
		t.Parallel()
		s := startMinIO(t)
		c := newCluster(t)
		c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
		test(t, c, s.gateway(t, c), moreDest)
	})
}

// TestAPruneBesideABackupIsHealed makes the race: a backup reads the index and stops, its
// lock is removed, a prune takes the packs that the backup then builds on.
func TestAPruneBesideABackupIsHealed(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"RESTIC_0_14", "RESTIC_0_18"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			onDiskAndBucket(t, func(t *testing.T, c *cluster, g *served, dest string) {
				t.Helper()
				testHeal(t, newKeeper(t, c, g, dest, version), version)
			})
		})
	}
}

func testHeal(t *testing.T, a *keeper, version string) {
	module := newRestic(t, version, a.g.url+"/"+a.dest, mailRepo, "module/mail1")
	node := newRestic(t, version, a.g.url+"/"+a.dest, mailRepo, "node/1")
	content, _ := blob(6 << 20)
	module.seed(t, 2)
	backUp := func() *exec.Cmd { return module.command(t, "backup", "--stdin", "--stdin-filename", "dump") }
	first := backUp()
	first.Stdin = strings.NewReader(string(content))
	runCommand(t, first)
	secondOver(t) // the index must have been there for a second
	node.run(t, "forget", "latest")

	second := backUp()
	in, err := second.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	second.Stdout, second.Stderr = &said, &said
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	locks := "/" + a.dest + "/" + mailRepo + "/locks/"
	waitFor(t, "the backup to lock the repository", func() bool { return len(listed(t, a.g, locks)) > 0 })
	// It reads the index before it reads what is to be saved: a part of that is taken
	// from the pipe only then.
	if _, err := in.Write(content[:1<<20]); err != nil {
		t.Fatalf("the backup ended: %v\n%s", err, said.String())
	}
	node.run(t, "unlock", "--remove-all")
	node.run(t, "prune")
	if _, err := in.Write(content[1<<20:]); err != nil {
		t.Fatalf("the backup ended: %v\n%s", err, said.String())
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Wait(); err != nil {
		t.Fatalf("the backup: %v\n%s", err, said.String())
	}
	if out, err := node.command(t, "check").CombinedOutput(); err == nil {
		t.Fatalf("the prune took nothing from under the backup:\n%s", out)
	}

	if out := a.repository(t, mailRepo, "heal", "--dry-run"); !strings.Contains(out, "would bring back") {
		t.Errorf("a dry run says %s", out)
	}
	if out := a.repository(t, mailRepo, "heal"); !strings.Contains(out, "the repository is whole") {
		t.Errorf("heal says %s", out)
	}
	node.run(t, "check", "--read-data")
	dump := module.command(t, "dump", "latest", "dump")
	dump.Stderr = nil
	if got, err := dump.Output(); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the backup has %d bytes, which are not those that were saved: %v", len(got), err)
	}
	if out := a.repository(t, mailRepo, "heal"); !strings.Contains(out, "there is nothing to heal") {
		t.Errorf("heal of a whole repository says %s", out)
	}
}

// TestARollbackFreezesAndIsChecked poisons a repository, rolls it back by one command, and
// then rolls back to before the first one.
func TestARollbackFreezesAndIsChecked(t *testing.T) {
	t.Parallel()
	onDiskAndBucket(t, func(t *testing.T, c *cluster, g *served, dest string) {
		t.Helper()
		a := newKeeper(t, c, g, dest, "RESTIC_0_18")
		other := c.serve(t) // which hears of the freeze by itself
		module := newRestic(t, "RESTIC_0_18", g.url+"/"+dest, mailRepo, "module/mail1")
		tree := makeTree(t)
		module.seed(t, 2)
		module.run(t, "backup", tree)
		good := secondOver(t)
		user := callerOf(g.url, "module/mail1")
		base := "/" + dest + "/" + mailRepo
		for _, kind := range []string{"index", "snapshots"} {
			content, name := blob(300)
			user.want(t, http.StatusOK, http.MethodPost, base+"/"+kind+"/"+name, content)
		}
		bad := secondOver(t)
		to := []string{"--to", good.UTC().Format(time.RFC3339)}

		if out := a.repository(t, mailRepo, "rollback", append(to, "--dry-run")...); !strings.Contains(out, "would move to the trash: 1 index, 1 snapshots") {
			t.Errorf("it would do: %s", out)
		}
		pack, name := blob(1000)
		user.want(t, http.StatusOK, http.MethodPost, base+"/data/"+name, pack) // nothing was frozen
		if out := a.repository(t, mailRepo, "rollback", to...); !strings.Contains(out, "no errors were found") || !strings.Contains(out, "frozen") {
			t.Errorf("the rollback says: %s", out)
		}
		for _, g := range []*served{g, other} {
			caller := callerOf(g.url, "module/mail1")
			waitFor(t, "the freeze", func() bool {
				return caller.call(t, http.MethodPost, base+"/data/"+name, pack).status == http.StatusForbidden
			})
		}
		module.wantRestored(t, tree) // it reads, with restic as it is
		if out, err := module.command(t, "backup", tree).CombinedOutput(); err == nil || !strings.Contains(string(out), "403") {
			t.Errorf("a backup to a frozen repository: %v\n%s", err, out)
		}

		// It is kept over a restart, and thawed on another gateway.
		third := c.serve(t)
		callerOf(third.url, "module/mail1").want(t, http.StatusForbidden, http.MethodPost, base+"/data/"+name, pack)
		metrics := g.node().want(t, http.StatusOK, http.MethodGet, gateway.MetricsPath, nil).body
		for _, want := range []string{`rclone_gateway_destination_frozen_repositories{destination="` + dest + `"} 1`, `rclone_gateway_uploads_refused_total{reason="frozen"}`} {
			if !strings.Contains(string(metrics), want) {
				t.Errorf("the metrics lack %s", want)
			}
		}
		onOther := *a
		onOther.g = other
		if out := onOther.repository(t, mailRepo, "thaw"); !strings.Contains(out, "thawed") {
			t.Errorf("thaw says %s", out)
		}
		waitFor(t, "the thaw", func() bool {
			return user.call(t, http.MethodPost, base+"/data/"+name, pack).status == http.StatusOK
		})
		// A second rollback undoes the first, poison included.
		a.repository(t, mailRepo, "rollback", "--no-check", "--to", bad.UTC().Format(time.RFC3339))
		if out, err := module.command(t, "check").CombinedOutput(); err == nil {
			t.Errorf("the poison did not come back:\n%s", out)
		}
		a.repository(t, mailRepo, "rollback", to...)
		module.wantRestored(t, tree)
	})
}

// TestHistorySaysWhatLooksWrong saves forged snapshots, and files that restic did not write.
func TestHistorySaysWhatLooksWrong(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	proof, err := audit.Open(file, audit.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	g := c.serve(t, func(o *gateway.Options) { o.Audit, o.AuditState = proof, file+".changes" })
	a := newKeeper(t, c, g, localDest, "RESTIC_0_18")
	module := newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, "module/mail1")
	tree := storageTree(t, 1<<20)
	module.seed(t, 2)
	for range 3 {
		module.run(t, "backup", "--host", "mail1", tree)
	}
	module.run(t, "backup", "--host", "mail1", "--time", "2031-01-10 10:00:00", tree)
	module.run(t, "backup", "--host", "elsewhere", tree)
	small := filepath.Join(t.TempDir(), "small")
	writeFile(t, small, []byte("next to nothing"))
	forged := snapshotIDs(t, module)
	base := "/" + localDest + "/" + mailRepo
	g.node().want(t, http.StatusOK, http.MethodDelete, base+"/snapshots/"+forged[0], nil)
	random, name := blob(300)
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/snapshots/"+name, random)
	// Around the gateway: shorter than anything that is encrypted.
	short := nameOf([]byte("x"))
	writeFile(t, filepath.Join(c.dir, mailRepo, "index", short), []byte("x"))

	out := a.repository(t, mailRepo, "history")
	for _, want := range []string{
		"DAY", time.Now().UTC().Format("2006"), "head of this gateway's audit log: ", "1 snapshots", "delete by node/1: 1",
		"look at index " + short[:8], "it claims 2031-01-10", "it is from host elsewhere", "look at snapshots " + name[:8], "restic cannot read it",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the history lacks %q:\n%s", want, out)
		}
	}
	cmd := a.command(t, "repository", "history", "--destination", localDest, "--repository", mailRepo, "--json")
	cmd.Stderr = nil
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var reply struct {
		Days []struct {
			Received map[string]struct{ Objects, Bytes int64 }
		}
		Snapshots []struct{ ID string }
		Flags     []struct{ Kind, Name, Why string }
	}
	if err := json.Unmarshal(text, &reply); err != nil || len(reply.Days) == 0 || len(reply.Snapshots) != 6 || len(reply.Flags) < 4 {
		t.Errorf("as JSON: %v, %s", err, text)
	}
}

// TestACommandsLineReachesTheAuditLog changes a setting by the program itself.
func TestACommandsLineReachesTheAuditLog(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	proof, err := audit.Open(file, audit.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	g := c.serve(t, func(o *gateway.Options) { o.Audit, o.AuditState = proof, file+".changes" })
	a := newKeeper(t, c, g, localDest, "RESTIC_0_18")
	g.node().want(t, http.StatusOK, http.MethodPost, "/"+localDest+"/"+mailRepo+"/config", aConfig)
	alter := a.command(t, "destination", "alter", "--keep-deleted", "9d", localDest)
	alter.Env = append(alter.Env, "REDIS_USER="+redistest.AdminUser, "REDIS_PASSWORD="+redistest.Password(redistest.AdminUser))
	runCommand(t, alter)
	a.repository(t, mailRepo, "freeze")
	a.repository(t, mailRepo, "freeze")
	a.repository(t, mailRepo, "rollback", "--to", "1s", "--dry-run")
	a.repository(t, mailRepo, "thaw")
	read := func() string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	waitFor(t, "the change to be written down", func() bool { return strings.Contains(read(), "keep") && strings.Contains(read(), "alice") })
	for want, times := range map[string]int{`"what":"change","who":"alice"`: 1, `"what":"freeze","who":"node/1"`: 1, `"what":"thaw","who":"node/1"`: 1, `"what":"rollback"`: 0} {
		if got := strings.Count(read(), want); got != times {
			t.Errorf("the audit log has %d lines with %s, want %d:\n%s", got, want, times, read())
		}
	}
}

// TestRestoringAsItWas has gatewayctl read a repository as it was, from which everything
// was deleted since.
func TestRestoringAsItWas(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	a := newKeeper(t, c, g, localDest, "RESTIC_0_18")
	module := newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, "module/mail1")
	source := t.TempDir()
	writeFile(t, filepath.Join(source, "state", "file"), []byte("what was there"))
	backUp := module.command(t, "backup", "state")
	backUp.Dir = source
	module.seed(t, 2)
	runCommand(t, backUp)
	at := secondOver(t).UTC().Format(time.RFC3339)
	for _, id := range snapshotIDs(t, module) {
		g.node().want(t, http.StatusOK, http.MethodDelete, "/"+localDest+"/"+mailRepo+"/snapshots/"+id, nil)
	}
	wrapper := []string{"restic-wrapper", "--destination", localDest, "--repopath", mailRepo, "--at", at}
	if out := runCommand(t, a.command(t, append(wrapper, "snapshots", "--json")...)); strings.Count(out, `"short_id"`) != 1 {
		t.Errorf("restic-wrapper --at: %s", out)
	}
	if out, err := a.command(t, "restic-wrapper", "--destination", localDest, "--repopath", mailRepo, "--at", "2020-01-01T00:00:00Z", "snapshots").CombinedOutput(); err == nil || !strings.Contains(string(out), "there was none at that time") {
		t.Errorf("before there was any: %v: %s", err, out)
	}

	home := t.TempDir()
	for _, dir := range []string{"state", "install/etc"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	target := filepath.Join(home, "target")
	restore := a.command(t, "restore-module", "--destination", localDest, "--at", at, "--target", target)
	restore.Env = append(restore.Env, "REDIS_USER=module/mail1", "REDIS_PASSWORD="+redistest.Password("module/mail1"), "AGENT_ID=module/mail1",
		"MODULE_ID=mail1", "MODULE_UUID="+mailUUID, "IMAGE_URL=ghcr.io/nethserver/mail:1",
		"AGENT_STATE_DIR="+filepath.Join(home, "state"), "AGENT_INSTALL_DIR="+filepath.Join(home, "install"))
	runCommand(t, restore)
	if got, err := os.ReadFile(filepath.Join(target, "state", "file")); err != nil || string(got) != "what was there" {
		t.Errorf("restored: %q, %v", got, err)
	}
}
