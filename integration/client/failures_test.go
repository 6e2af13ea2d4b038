package client

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// failed wants a backup to end with an exit status and a message, and the module
// to be cleaned up.
func (h *clientHost) failed(t *testing.T, got result, code int, message string) {
	t.Helper()
	if got.code != code || !strings.Contains(got.stderr, message) {
		t.Errorf("exit status %d, want %d and a text with %q: %s", got.code, code, message, got.stderr)
	}
	if left := h.dumpFiles(t); len(left) > 0 {
		t.Errorf("%q are left in the state directory", left)
	}
}

func TestReasonsOfFailure(t *testing.T) {
	onEach(t, natives, func(t *testing.T, v variant) {
		host := newFilledHost(t, v)
		world := host.world
		host.backUp(t).succeed(t)

		const passwords = "private/agents/backup_destination/restic_password"
		right := world.redis.Do("hget", passwords, clientDestination)
		world.redis.Do("hset", passwords, clientDestination, "another one")
		host.failed(t, host.backUp(t), 12, "does not open with the destination's password")
		world.redis.Do("hset", passwords, clientDestination, right)

		host.failed(t, host.run(t, "module-backup", "77"), 2, "backup schedule 77 does not exist")

		h := host.path("install/bin/module-dump-state")
		host.check(t, os.Rename(h, h+".well"))
		host.write(t, "install/bin/module-dump-state", "#!/bin/bash\necho half > mykey.dump\nexit 9\n", 0o755)
		host.failed(t, host.backUp(t), 1, "exit status 9")
		host.check(t, os.Rename(h+".well", h))

		if v.version == "0.18" { // which restic plays no part in
			away := world.storage + ".away"
			host.check(t, os.Rename(world.storage, away))
			host.failed(t, host.backUp(t), 5, "cannot be reached")
			host.check(t, os.Rename(away, world.storage))
		}

		host.backUp(t).succeed(t)
		if n := len(world.objects(t, "snapshots")); n != 2 {
			t.Errorf("%d snapshots, want 2", n)
		}
	})
}

// TestUnreadableFiles has a file of root among those of an ordinary user.
func TestUnreadableFiles(t *testing.T) {
	onEach(t, []variant{{"0.14", "rootless"}, {"0.18", "rootless"}}, func(t *testing.T, v variant) {
		host := newFilledHost(t, v)
		host.write(t, "state/things/of root", "secret", 0o600)
		got := host.run(t, "module-backup", "--json", clientSchedule)
		host.failed(t, got, 4, "warning: /srv/state/things/of root: open")
		if strings.Count(got.stderr, "warning: ") != 1 || !strings.Contains(got.stdout, `"unreadable":["/srv/state/things/of root"]`) {
			t.Errorf("it said %q, and its events are %s", got.stderr, got.stdout)
		}
		if n := len(host.world.objects(t, "snapshots")); n != 1 {
			t.Errorf("%d snapshots, want 1", n)
		}
	})
}

// TestKilledInit kills restic, or module-backup, between the two objects that init
// makes, the key and the config.
func TestKilledInit(t *testing.T) {
	onEach(t, []variant{{"0.14", "native"}, {"0.18", "native"}, {"0.18", "rootfull"}}, func(t *testing.T, v variant) {
		world := newClientWorldAt(t, publicDir(t))
		host, gate := world.newGatedHost(t, v)
		for _, kill := range []func(*testing.T, *clientHost, int){killRestic, killAllButRestic} {
			cmd, _ := host.startUntil(t, gate, uploads("config"), "module-backup", clientSchedule)
			if keys := world.objects(t, "keys"); len(keys) != 1 {
				t.Errorf("there are keys %q", keys)
			}
			kill(t, host, cmd.Process.Pid)
			if err := cmd.Wait(); err == nil {
				t.Error("the killed backup succeeded")
			}
		}
		whenFree(t, func() result { return host.backUp(t) }).succeed(t)
		host.backUp(t).succeed(t)
		if keys := world.objects(t, "keys"); len(keys) != 1 {
			t.Errorf("the repository has keys %q, want one", keys)
		}
		host.wantNothingLeft(t)
	})
}

// TestKilledWhileTheModuleDumps kills module-backup before restic has begun, and
// with it the module's command ends.
func TestKilledWhileTheModuleDumps(t *testing.T) {
	t.Parallel()
	host := newFilledHost(t, variant{"0.18", "native"})
	dump, pidFile := host.path("install/bin/module-dump-state"), host.path("pid")
	host.check(t, os.Rename(dump, dump+".well"))
	host.check(t, unix.Mkfifo(host.path("gate"), 0o600))
	host.write(t, "install/bin/module-dump-state", "#!/bin/bash\necho half > mykey.dump\necho $$ > ../pid\nread -r < ../gate\n", 0o755)
	cmd := host.command("module-backup", clientSchedule)
	host.check(t, cmd.Start())
	pid := 0
	waitUntil(t, "the module dumps", func() bool {
		text, err := os.ReadFile(pidFile)
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err == nil
	})
	host.check(t, cmd.Process.Signal(syscall.SIGKILL))
	_ = cmd.Wait()
	waitUntil(t, "the module's command has ended", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })

	host.check(t, os.Rename(dump+".well", dump))
	host.backUp(t).succeed(t)
	host.wantNothingLeft(t)
	if got := host.restic(t, "dump", "latest", "/state/mykey.dump"); strings.Contains(got, "half") {
		t.Errorf("the snapshot has the dump of the killed run: %q", got)
	}
}

// mountSmall puts a file system of that size over a directory, and returns what
// gives it another size.
func mountSmall(t *testing.T, dir, size string) (resize func(size string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		testenv.Missing(t, "a full disk needs root, to mount a small one")
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755,size="+size); err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return func(size string) {
		t.Helper()
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size="+size); err != nil {
			t.Fatalf("remount: %v", err)
		}
	}
}

// TestFullDestination wants no restic to ask again for a quarter of an hour.
func TestFullDestination(t *testing.T) {
	onEach(t, []variant{{"0.14", "native"}, {"0.18", "native"}, {"0.18", "rootfull"}}, func(t *testing.T, v variant) {
		storage := publicDir(t)
		resize := mountSmall(t, storage, "8m")
		host := newClientWorldAt(t, storage).newHost(t, v, savedModule)
		host.fill(t)
		host.addBulk(t, 12)
		host.failed(t, host.backUp(t), 6, "it is full or read-only")
		host.wantNothingLeft(t)
		if n := len(host.world.objects(t, "snapshots")); n != 0 {
			t.Errorf("%d snapshots of half a backup", n)
		}
		resize("200m")
		host.backUp(t).succeed(t)
		host.wantNothingLeft(t)
	})
}

// TestFullStateDirectory has no room for the dumps.
func TestFullStateDirectory(t *testing.T) {
	t.Parallel()
	host := newClientWorld(t).newHost(t, variant{"0.18", "native"}, savedModule)
	resize := mountSmall(t, host.path("state"), "1m")
	host.write(t, "state/environment", "MODULE_ID="+savedModule.ID+"\n", 0o600)
	random := make([]byte, 2<<20) // which Redis cannot compress in its dumps
	_, _ = rand.Read(random)
	host.world.redis.Do("set", "module/"+savedModule.ID+"/mykey", random)
	got := host.backUp(t)
	host.failed(t, got, 1, "no space left on device")

	// and then not even for the lock
	filler := host.path("state/things")
	host.check(t, exec.Command("sh", "-c", "! cat /dev/zero 2>&- > \"$0\"", filler).Run())
	host.failed(t, host.backUp(t), 6, "no space left on device")
	host.check(t, os.Remove(filler))
	resize("100m")
	host.backUp(t).succeed(t)
}

// TestReadOnlyStateDirectory has nothing done to the module, and its files can still
// be had from its backups.
func TestReadOnlyStateDirectory(t *testing.T) {
	onEach(t, []variant{{"0.14", "native"}, {"0.18", "rootfull"}}, func(t *testing.T, v variant) {
		host := newFilledHost(t, v)
		host.backUp(t).succeed(t)
		state := host.path("state")
		mountSmall(t, state, "1m")
		host.write(t, "state/environment", "MODULE_ID="+savedModule.ID+"\n", 0o600)
		host.check(t, unix.Mount("", state, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))

		host.failed(t, host.backUp(t), 1, "read-only file system")
		host.failed(t, host.request(t), 1, "read-only file system")
		elsewhere := host.path("elsewhere")
		got := host.run(t, "restore-module", "--destination", clientDestination, "--path", "volumes/data/plain", "--target", elsewhere).succeed(t)
		if text, err := os.ReadFile(elsewhere + "/volumes/data/plain"); string(text) != "text" || err != nil {
			t.Errorf("the file holds %q, %v", text, err)
		}
		if !strings.Contains(got.stderr, "warning: the run is not noted") {
			t.Errorf("it said %q", got.stderr)
		}
		if locks := host.world.objects(t, "locks"); len(locks) > 0 {
			t.Errorf("locks %q stay", locks)
		}
	})
}

func TestRestoreToAFullDisk(t *testing.T) {
	onEach(t, natives, func(t *testing.T, v variant) {
		world := newClientWorld(t)
		backup := world.newHost(t, v, savedModule)
		backup.fill(t)
		want := backup.tree(t)
		backup.backUp(t).succeed(t)

		host := world.newHost(t, v, newModule)
		resize := mountSmall(t, host.volume(t), "2m")
		got := host.request(t)
		if got.code != 6 || !strings.Contains(got.stderr, "the disk is full") {
			t.Errorf("exit status %d: %s", got.code, got.stderr)
		}
		resize("200m")
		host.request(t).succeed(t)
		host.compare(t, want)
	})
}
