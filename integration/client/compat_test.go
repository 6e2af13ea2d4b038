package client

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSnapshotsOfNethServer8 restores what NethServer 8's own module-backup wrote:
// no host, no tags, the includes as they are, and the environment by name.
func TestSnapshotsOfNethServer8(t *testing.T) {
	onEach(t, []variant{{"0.18", "native"}, {"0.14", "rootfull"}, {"0.18", "rootless"}}, func(t *testing.T, v variant) {
		world := newClientWorld(t)
		old := world.newHost(t, v, savedModule)
		// Without a container its restic would not be in /srv.
		old.write(t, "install/etc/state-exclude.conf", "*.tmp\nenvironment.bak\nvolumes/data/deep/anchored\n", 0o644)
		old.fill(t)
		want := old.tree(t)
		for key, file := range map[string]string{"mykey": "mykey.dump", "ui_name": "ui_name.dump"} {
			old.write(t, "state/"+file, old.run(t, "redis-dump", "module/"+savedModule.ID+"/"+key).succeed(t).stdout, 0o644)
		}
		old.write(t, "state/typed.dump", old.run(t, "redis-dump", "--match", "module/"+savedModule.ID+"/typed/*").succeed(t).stdout, 0o644)
		old.asNethServer8(t, "backup", "--files-from=/srv/include", "--exclude-file=/srv/exclude",
			"state/environment", "state/ui_name.dump")

		host := world.newHost(t, v, newModule)
		host.request(t).succeed(t)
		host.compare(t, want)
		host.compareKeys(t)
	})
}

// asNethServer8 runs restic in the directory that NethServer 8 shows it; in a
// container it is /srv.
func (h *clientHost) asNethServer8(t *testing.T, args ...string) {
	t.Helper()
	patterns := map[string]string{
		"/srv/include": h.path("install/etc/state-include.conf"),
		"/srv/exclude": h.path("install/etc/state-exclude.conf"),
	}
	volume := h.volume(t)
	if h.kind == "native" {
		for i := range args {
			for inside, outside := range patterns {
				args[i] = strings.ReplaceAll(args[i], inside, outside)
			}
		}
		h.restic(t, args...)
		return
	}
	cmd := h.resticCommand("module/"+h.module.ID, args...)
	cmd.Args = []string{
		"env", "podman", "run", "--rm", "--privileged", "--network=host", "--env=RESTIC_*", "--log-driver=none", "--workdir=/srv",
		"--env=RESTIC_CACHE_DIR=/tmp/cache", "--volume=" + h.path("state") + ":/srv/state", "--volume=" + volume + ":/srv/volumes/data",
	}
	for inside, outside := range patterns {
		cmd.Args = append(cmd.Args, "--volume="+outside+":"+inside+":ro")
	}
	cmd.Args = append(append(cmd.Args, clientImage), args...)
	runCommand(t, cmd).succeed(t)
}

// TestPlainResticRestores restores, with nothing but restic, what module-backup
// wrote.
func TestPlainResticRestores(t *testing.T) {
	onEach(t, natives, func(t *testing.T, v variant) {
		host := newFilledHost(t, v)
		want := describeTree(t, host.volume(t), "volumes/data")
		host.backUp(t).succeed(t)
		target := publicDir(t)
		host.restic(t, "restore", "latest", "--target", target)
		got := describeTree(t, filepath.Join(target, "volumes/data"), "volumes/data")
		for name, description := range want {
			// Plain restic, unlike ours, makes sparse files dense.
			if !excluded(name) && name != "volumes/data/sparse" && got[name] != description {
				t.Errorf("%q is\n%s, and was\n%s", name, got[name], description)
			}
		}
		for _, file := range []string{"state/environment", "state/mykey.dump", "state/ui_name.dump", "state/things/plain"} {
			if _, err := os.Stat(filepath.Join(target, file)); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestRetention has the node forget while the include file, the label and so the
// paths of the snapshots change: all are of one group, and have a parent.
func TestRetention(t *testing.T) {
	onEach(t, natives, func(t *testing.T, v variant) {
		host := newFilledHost(t, v)
		forget := func() {
			t.Helper()
			runCommand(t, host.resticCommand("node/1", "forget", "--prune", "--group-by=", "--keep-last=2")).succeed(t)
		}
		for n := range 4 {
			host.world.redis.Do("del", "module/"+savedModule.ID+"/ui_name")
			if n%2 == 1 {
				host.world.redis.Do("set", "module/"+savedModule.ID+"/ui_name", fmt.Sprint("label ", n))
			}
			host.write(t, "install/etc/state-include.conf", fmt.Sprintf("state/*.dump\nvolumes/data\nstate/things/plain\nstate/none%d\n", n), 0o644)
			host.backUp(t).succeed(t)
			forget()
			if kept := len(host.world.objects(t, "snapshots")); kept != min(n+1, 2) {
				t.Errorf("%d snapshots after %d backups", kept, n+1)
			}
		}
		if list := host.restic(t, "snapshots", "--json"); strings.Count(list, `"parent"`) != 2 {
			t.Errorf("a snapshot has no parent: %s", list)
		}
		host.restic(t, "check", "--read-data")
	})
}
