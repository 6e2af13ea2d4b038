package setup

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// try runs the command with what it may touch, and returns what it said.
func try(t *testing.T, sys *host.System, args ...string) (said string, err error) {
	t.Helper()
	var out bytes.Buffer
	if sys == nil {
		sys = host.NewSystem(strings.NewReader(""), &out, &out)
	}
	sys.Env = host.NewEnvironment(func(name string) (string, bool) {
		if name == "NS8_CORE_ENV" || name == "NS8_AGENT_ENV" {
			return "/nonexistent", true
		}
		return "", false
	})
	cmd := NewCommand(sys)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestDryRunShowsEachStepAndHowToUndoIt(t *testing.T) {
	t.Parallel()
	data, dir := t.TempDir(), filepath.Join(t.TempDir(), "all")
	said, err := try(t, nil, "--dry-run", "--dir", dir, "--module", "wiki1="+data, "--module", "notes="+data, "--to", "/srv/backups", "--when", "every 6h")
	if err != nil {
		t.Fatal(err)
	}
	if steps, undo := strings.Count(said, ". "), strings.Count(said, "\n  undo: "); undo != 11 || steps < undo {
		t.Errorf("%d steps, %d can be undone:\n%s", steps, undo, said)
	}
	for _, want := range []string{"module wiki1", "module notes", "every 6h", dir + "/stop gateway", "node remove 1", "a test of the restore of wiki1"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("something was made: %v", err)
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	file := filepath.Join(data, "file")
	if err := os.WriteFile(file, []byte("module = x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nothing":                {[]string{"--dir", data}, "stdin is no terminal: give --module NAME=DIR and --to DIR"},
		"no storage":             {[]string{"--dir", data, "--module", "a=" + data}, "give --to DIR"},
		"a module without a dir": {[]string{"--dir", data, "--module", "a", "--to", "/x"}, "give NAME=DIR"},
		"a bad name":             {[]string{"--dir", data, "--module", "A b=" + data, "--to", "/x"}, "is no name"},
		"a name twice":           {[]string{"--dir", data, "--module", "a=" + data, "--module", "a=" + data, "--to", "/x"}, "named twice"},
		"a directory not there":  {[]string{"--dir", data, "--module", "a=" + data + "/none", "--to", "/x"}, "no such file"},
		"a file":                 {[]string{"--dir", data, "--module", "a=" + file, "--to", "/x"}, "is not a directory"},
		"two storages":           {[]string{"--dir", data, "--module", "a=" + data, "--to", "/x", "--provider", "aws"}, "give one of them"},
		"a relative storage":     {[]string{"--dir", data, "--module", "a=" + data, "--to", "x"}, "must begin with /"},
		"an address of no port":  {[]string{"--dir", data, "--addr", "127.0.0.1", "--module", "a=" + data, "--to", "/x"}, "--addr"},
		"a long directory":       {[]string{"--dir", "/" + strings.Repeat("long/", 30), "--module", "a=" + data, "--to", "/x"}, "too long for the socket"},
		"a file that is wrong":   {[]string{"--file", file, "--dir", data, "--to", "/x"}, "give NAME=DIR"},
		"a file that is missing": {[]string{"--file", data + "/none", "--dir", data}, "no such file"},
	} {
		_, err := try(t, nil, append(c.args, "--dry-run")...)
		if err == nil || !strings.Contains(err.Error(), c.want) || exit.CodeOf(t.Context(), err) != int(exit.Usage) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestFileGivesWhatTheCommandLineDoesNot(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	file := filepath.Join(data, "setup.conf")
	text := "# two directories\nmodule = wiki1=" + data + "\nmodule = notes=" + data + "\n\nto=/srv/backups\nwhen = weekly\nname = Disk\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := try(t, nil, "--dry-run", "--dir", data, "--file", file, "--when", "daily")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"module wiki1", "module notes", `destination "Disk"`, "modules: daily"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	for _, wrong := range []string{"what\n", "none = 1\n", "file = x\n", "yes = perhaps\n"} {
		if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := try(t, nil, "--dry-run", "--dir", data, "--file", file); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// TestWhoSitsAtATerminalIsAsked answers as people do, with a mistake.
func TestWhoSitsAtATerminalIsAsked(t *testing.T) {
	t.Parallel()
	keys, tty := testenv.Terminal(t)
	data := t.TempDir()
	var out bytes.Buffer
	sys := host.NewSystem(tty, &out, &out)
	if _, err := keys.WriteString("here\n" + data + "\nWiki\nwiki1\n\nbackups\n/srv/backups\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := try(t, sys, "--dry-run", "--dir", filepath.Join(data, "all")); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"give a path that begins with /", `"Wiki" is no name`, "Another directory", "Where backups go", "module wiki1: " + data} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestFilesAreTheirOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := &layout{config: dir, redis: filepath.Join(dir, "redis"), socket: filepath.Join(dir, "redis.sock"), address: defaultAddress}
	s := &setup{layout: *l}
	password, err := s.adminPassword()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.writeRedis(password); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{l.adminEnv(): 0o600, l.users(): 0o600, l.redis: 0o700 | fs.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	for _, path := range []string{l.users(), l.redisConf()} {
		if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), password) {
			t.Errorf("%s holds the password, or cannot be read: %v", path, err)
		}
	}
	again, err := s.adminPassword()
	if err != nil || again != password {
		t.Errorf("a second setup has another password (%v)", err)
	}
	if err := os.Remove(l.adminEnv()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.adminPassword(); err == nil || !strings.Contains(err.Error(), "bring it back") {
		t.Errorf("a password that was lost is replaced: %v", err)
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	err := until(ctx, func(context.Context) error {
		if tries++; tries == 2 {
			cancel()
		}
		return fs.ErrNotExist
	})
	if err == nil {
		t.Error("what never works works")
	}
}

func TestWordsAreQuotedForAShell(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{"/srv/a-b_c.d": "/srv/a-b_c.d", "two words": "'two words'", "": "''", "it's": `'it'\''s'`, "$HOME": "'$HOME'"} {
		if got := shellWord(word); got != want {
			t.Errorf("%q becomes %s, want %s", word, got, want)
		}
	}
	if got := unitPath(`/srv/50%/a b`); got != `"/srv/50%%/a b"` {
		t.Errorf("a path in a unit: %s", got)
	}
}
