package client

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestABackupOfLessThanWasAskedFor has include lines that stand for nothing: a success with
// warnings on NethServer 8, and a status of its own elsewhere. One volume lies elsewhere.
func TestABackupOfLessThanWasAskedFor(t *testing.T) {
	onEach(t, []variant{{"0.14", "native"}, {"0.18", "rootless"}, {"0.18", "rootfull"}}, func(t *testing.T, v variant) {
		host := newClientWorld(t).newHost(t, v, savedModule)
		host.check(t, os.MkdirAll(host.volume(t), 0o755))
		host.check(t, writeFile(filepath.Join(host.volume(t), "file"), []byte("x"), 0o644))
		host.check(t, os.MkdirAll(host.path("app"), 0o755))
		host.write(t, "app/file", "of the app", 0o644)
		host.write(t, "install/etc/volumes.conf", "app="+host.path("app")+"\n", 0o644)
		host.write(t, "install/etc/state-include.conf", "state/*.dump\nvolumes/data\nvolumes/gone\nvolumes/app\n", 0o644)
		host.write(t, "install/etc/state-exclude.conf", "", 0o644)
		host.give(t)

		got := host.run(t, "module-backup", "--log-json", clientSchedule).succeed(t)
		const missing = `state-include.conf: "volumes/gone" matches nothing`
		if !strings.Contains(got.stderr, "warning: "+missing) || !strings.Contains(got.stderr, `\"volumes/gone\" matches nothing"],"seconds"`) {
			t.Errorf("it says %s", got.stderr)
		}
		host.env = append(host.env, "NS8_CORE_ENV=/nonexistent", "RESTIC_IMAGE="+clientImage)
		if got = host.run(t, "module-backup", clientSchedule); got.code != 16 || !strings.Contains(got.stderr, missing) || !strings.Contains(got.stderr, "snapshot ") {
			t.Errorf("exit status %d: %s", got.code, got.stderr)
		}
		if got = host.run(t, "module-backup", "--dry-run", clientSchedule); !strings.Contains(got.stdout, "include    volumes/app: 1 files, 10 B\n") {
			t.Errorf("exit status %d: %s%s", got.code, got.stdout, got.stderr)
		}

		host.check(t, os.Remove(host.path("app/file")))
		host.run(t, "restore-module", "--destination", clientDestination, "--path", "volumes/app").succeed(t)
		if content, err := os.ReadFile(host.path("app/file")); string(content) != "of the app" {
			t.Errorf("restored is %q, %v", content, err)
		}
	})
}
