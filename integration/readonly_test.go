package integration

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

const readOnlyDest = "5b0f7d0c-6f55-4f0e-9a57-1c2f63a1d3aa"

// wantReadOnly asks a destination, which holds the backups of moreDest and may not be
// changed, for everything: a repository is read as ever, a change is refused as what
// it is, and the check names it.
func wantReadOnly(t *testing.T, g *served, id, reason string) {
	t.Helper()
	base := "/" + id + "/" + mailRepo
	lock, lockName := blob(200)
	pack, packName := blob(2 << 20)
	module := g.module("mail1")
	module.want(t, http.StatusInsufficientStorage, http.MethodPost, base+"/locks/"+lockName, lock)
	// A pack passes through: whoever has it must send it again first, unless the storage
	// says at once what it is. One that hangs up on the body is not heard: on a busy machine
	// MinIO does so many times in a row. Each lock is answered, so that no circuit opens.
	status := http.StatusServiceUnavailable
	for range 20 {
		if status = module.call(t, http.MethodPost, base+"/data/"+packName, pack).status; status != http.StatusServiceUnavailable {
			break
		}
		module.want(t, http.StatusInsufficientStorage, http.MethodPost, base+"/locks/"+lockName, lock)
	}
	if status != http.StatusInsufficientStorage {
		t.Errorf("the pack sent again: %d", status)
	}
	for range 6 { // as many as would open the circuit
		module.want(t, http.StatusInsufficientStorage, http.MethodPost, base+"/locks/"+lockName, lock)
	}
	newRestic(t, "RESTIC_0_18", g.url+"/"+id, mailRepo, "module/mail1").run(t, "check", "--no-lock", "--read-data")
	g.log.want(t, "estores still work")

	answer := g.node().want(t, http.StatusOK, http.MethodPost, adminapi.CheckPath, []byte(`{"id":"`+id+`"}`))
	var report adminapi.CheckReport
	if err := json.Unmarshal(answer.body, &report); err != nil {
		t.Fatal(err)
	}
	if report.Error != adminapi.NoWritePermission || !strings.Contains(report.Reason, reason) {
		t.Errorf("the check: %+v", report)
	}
	metrics := g.node().want(t, http.StatusOK, http.MethodGet, gateway.MetricsPath, nil)
	for line := range strings.Lines(string(metrics.body)) {
		if strings.Contains(line, id) && strings.Contains(line, `class="denied"`) && !strings.HasSuffix(line, " 0\n") {
			return
		}
	}
	t.Errorf("no metric counts what %s denied", id)
}

// TestReadOnlyStorageIsReadAndNamed makes a repository where it may be written, and
// reads it where it may not.
func TestReadOnlyStorageIsReadAndNamed(t *testing.T) {
	t.Parallel()
	t.Run("a key of MinIO that may only read", func(t *testing.T) {
		t.Parallel()
		s := startMinIO(t)
		c := newCluster(t)
		c.AddDestinations(onS3(moreDest, "backups", s.section(s.secret)))
		g := c.serve(t)
		backUpOnce(t, g)
		c.AddDestinations(onS3(readOnlyDest, "backups", adminOf(s).reader(t, "backups")))
		wantReadOnly(t, g, readOnlyDest, "give it permission to write (s3:PutObject")
	})
	t.Run("a server of SFTP that is read-only", func(t *testing.T) {
		t.Parallel()
		data := t.TempDir()
		s, archive := startSSHOver(t, data, "internal-sftp"), startSSHOver(t, data, "internal-sftp -R")
		c := newCluster(t)
		c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
		g := c.serve(t)
		backUpOnce(t, g)
		readOnly := archive.destinations(t, readOnlyDest, archive.secret)
		readOnly[0].BasePath = s.base(moreDest)
		c.AddDestinations(readOnly...)
		wantReadOnly(t, g, readOnlyDest, "and no internal-sftp -R for this user")
	})
	t.Run("a share of Samba that is read-only", func(t *testing.T) {
		t.Parallel()
		s := startSamba(t)
		c := newCluster(t)
		c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
		g := c.serve(t)
		backUpOnce(t, g)
		archive := s.destinations(t, readOnlyDest, s.secret)
		archive[0].BasePath = "archive/" + moreDest
		c.AddDestinations(archive...)
		wantReadOnly(t, g, readOnlyDest, "read only = no on Samba")
	})
}

// TestADiskThatBecameReadOnlyIsReadAndNamed remounts the disk of a destination, as
// ext4 does by itself after errors.
func TestADiskThatBecameReadOnlyIsReadAndNamed(t *testing.T) {
	if !mayMount(t) {
		return
	}
	c := newCluster(t)
	disk := t.TempDir()
	mount(t, "tmpfs", disk, "tmpfs", 0)
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	c.AddLocalDestination(moreDest, disk)
	g := c.serve(t)
	backUpOnce(t, g)
	mount(t, "", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY)
	wantReadOnly(t, g, moreDest, "mounted read-only")
}

// backUpOnce makes a repository with one snapshot in moreDest.
func backUpOnce(t *testing.T, g *served) {
	t.Helper()
	module := newRestic(t, "RESTIC_0_18", g.url+"/"+moreDest, mailRepo, "module/mail1")
	module.seed(t, 2)
	module.run(t, "backup", storageTree(t, 1<<20))
}
