package client

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPatterns has odd include and exclude files, and looks at what restic saves then.
func TestPatterns(t *testing.T) {
	onEach(t, []variant{{"0.14", "native"}, {"0.18", "native"}, {"0.18", "rootfull"}}, func(t *testing.T, v variant) {
		host := newClientWorld(t).newHost(t, v, savedModule)
		for _, dir := range []string{host.path("state"), host.volume(t)} {
			for _, name := range []string{"plain", "a b", "[x]", "x", "*", "-rf", "ünï.dump", "one.dump", "sub/two.dump", "sub/keep.log", "sub/drop.log", "$HOME", "last"} {
				file := filepath.Join(dir, name)
				host.check(t, os.MkdirAll(filepath.Dir(file), 0o755))
				host.check(t, os.WriteFile(file, []byte(name), 0o644))
			}
		}
		host.write(t, "secret", "", 0o644)
		host.write(t, "install/etc/state-include.conf", strings.Join([]string{
			"# a comment", "", "  \t", "state/plain\r", "  state/a b  ", `state/\[x\]`, "state/-rf", "state/*.dump", "state/sub\r",
			"state/nothing/*", "state/absent", "state/../secret", "/etc/passwd", "environment", "volumes/data/[*]", "volumes/data/$HOME", "volumes/data/last",
		}, "\n"), 0o644)
		host.write(t, "install/etc/state-exclude.conf", "\n# a comment\r\n*.log\r\n!keep.log\r\nstate/sub/two.*\n/srv/state/one.dump", 0o644)
		got := host.backUp(t).succeed(t)
		for _, refused := range []string{`"state/../secret" leaves its directory`, `"/etc/passwd" begins neither`, `"environment" begins neither`} {
			if strings.Count(got.stderr, refused) != 1 {
				t.Errorf("it does not mention %s: %s", refused, got.stderr)
			}
		}

		target := host.path("found")
		host.run(t, "restore-module", "--destination", clientDestination, "--target", target).succeed(t)
		var saved []string
		for name, description := range describeTree(t, target, "") {
			if strings.HasPrefix(description, "-") {
				saved = append(saved, name)
			}
		}
		slices.Sort(saved)
		want := []string{
			"state/-rf", "state/[x]", "state/a b", "state/environment", "state/mykey.dump", "state/plain", "state/sub/keep.log",
			"state/typed.dump", "state/ünï.dump", "volumes/data/$HOME", "volumes/data/*", "volumes/data/last",
		}
		if !slices.Equal(saved, want) {
			t.Errorf("saved are\n%q, want\n%q", saved, want)
		}
	})
}
