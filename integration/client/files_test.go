package client

import (
	"os"
	"strings"
	"testing"
)

// TestSingleFiles gets back a file and a folder that were lost or changed, into place
// and elsewhere, and nothing else. What there is to get restic-wrapper tells.
func TestSingleFiles(t *testing.T) {
	onEach(t, []variant{{"0.14", "rootless"}, {"0.18", "rootfull"}}, func(t *testing.T, v variant) {
		host := newFilledHost(t, v)
		want := host.tree(t)
		host.backUp(t).succeed(t)
		restore := func(args ...string) result {
			return host.run(t, "restore-module", append([]string{"--destination", clientDestination}, args...)...)
		}

		if got := host.run(t, "restic-wrapper", "dump", "latest", "/volumes/data/plain").succeed(t); got.stdout != "text" {
			t.Errorf("restic-wrapper dumps %q", got.stdout)
		}
		own := map[string]int{"0.14": 2, "0.18": 1}[v.version]
		if got := host.run(t, "restic-wrapper", "--backup", clientSchedule, "dump", "latest", "/absent"); got.code != own || !strings.Contains(got.stderr, "absent") {
			t.Errorf("restic-wrapper ends with %d, restic with %d: %s", got.code, own, got.stderr)
		}

		volume := host.volume(t)
		host.check(t, os.RemoveAll(volume+"/deep"))
		host.check(t, os.WriteFile(volume+"/new\nline", []byte("changed"), 0o600))
		mine := volume + "/closed/file"
		host.check(t, os.WriteFile(mine, []byte("mine"), 0o644))
		restore("--path", "volumes/data/deep", "--path", "volumes/data/new\nline", "--verify").succeed(t)
		if text, err := os.ReadFile(mine); string(text) != "mine" {
			t.Errorf("another file is %q, %v", text, err)
		}
		restore("--include", "/volumes/data/closed/*").succeed(t)
		got := host.tree(t)
		for name, description := range want {
			if !excluded(name) && got[name] != description {
				t.Errorf("%q is\n%s, and was\n%s", name, got[name], description)
			}
		}

		target := host.path("found")
		restore("--target", target, "--path", "state/environment", "--include", "état*").succeed(t)
		found := describeTree(t, target, "")
		for _, name := range []string{"state/environment", "state/things/état ünï — 日本", "volumes/data/état ünï — 日本"} {
			if !strings.HasPrefix(found[name], "-") {
				t.Errorf("%s is missing among %v", name, found)
			}
		}
		for name, description := range found {
			if strings.HasPrefix(description, "-") && name != "state/environment" && !strings.HasSuffix(name, "日本") {
				t.Errorf("%s was not asked for", name)
			}
		}
		if got := restore("--path", "volumes/data/absent"); got.code != 9 || !strings.Contains(got.stderr, "does not hold volumes/data/absent") {
			t.Errorf("exit status %d: %s", got.code, got.stderr)
		}
		host.wantNothingLeft(t)
	})
}
