package runner

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// newDir is a directory of modules with an environment file beside it.
func newDir(t *testing.T) (Dir, string) {
	t.Helper()
	base := t.TempDir()
	env := filepath.Join(base, "app1.env")
	if err := os.WriteFile(env, []byte("MODULE_ID=app1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Dir(filepath.Join(base, "modules.d")), env
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	dir, env := newDir(t)
	for _, want := range []Runner{
		{EnvFile: env},
		{EnvFile: env, User: "root"},
		{EnvFile: env, User: "1000:1000"},
		{Command: []string{"docker", "exec", "-u", "1000", "app"}},
		{Command: []string{"runagent", "-m", "app1"}},
		{Command: []string{"/opt/my tools/run", "a\"b"}, User: "root"},
	} {
		if err := dir.Write("app1", want); err != nil {
			t.Fatal(err)
		}
		got, err := dir.Read("app1")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v is read as %+v, %v", want, got, err)
		}
	}
	if ids, err := dir.Modules(); err != nil || !slices.Equal(ids, []string{"app1"}) {
		t.Errorf("modules are %v, %v", ids, err)
	}
	for range 2 {
		if err := dir.Remove("app1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := dir.Read("app1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a module that is gone: %v", err)
	}
}

func TestAFileThatSaysSomethingElseIsRefused(t *testing.T) {
	t.Parallel()
	dir, env := newDir(t)
	if err := dir.Write("app1", Runner{EnvFile: env}); err != nil {
		t.Fatal(err)
	}
	for text, why := range map[string]string{
		"":                           "has neither ENV_FILE nor COMMAND",
		"# nothing\n":                "has neither ENV_FILE nor COMMAND",
		"hello":                      "line 1 is not KEY=VALUE",
		"\nENVFILE=/x":               "line 2: there is no key ENVFILE: it is ENV_FILE, USER or COMMAND",
		"user=root\nENV_FILE=" + env: "there is no key user",
		"ENV_FILE=app1.env":          "must begin with /",
		"ENV_FILE=/nowhere/app1.env": "environment file /nowhere/app1.env is missing",
		"ENV_FILE=" + env + "\nCOMMAND=docker exec x":  "both ENV_FILE and COMMAND",
		"ENV_FILE=" + env + "\nUSER=nobody-at-all":     "this system has no such user",
		"ENV_FILE=" + env + "\nUSER=a:b":               "neither a name nor UID:GID",
		`COMMAND=sh -c "x`:                             "put quotes around whole words",
		`COMMAND=sh -c x"y`:                            "put quotes around whole words",
		"COMMAND=docker\texec":                         "control characters",
		"COMMAND=x\n" + strings.Repeat("#\n", biggest): "too large",
	} {
		if err := os.WriteFile(dir.Path("app1"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := dir.Read("app1"); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.40q is %+v, %v; want an error with %q", text, r, err, why)
		}
	}
	for _, id := range []string{"../app1", "", "a/b", ".hidden", "-x", "app1\n"} {
		if _, err := dir.Read(id); err == nil || !strings.Contains(err.Error(), "is not a module ID") {
			t.Errorf("module %q: %v", id, err)
		}
	}
}

// TestAFileThatOthersMayWriteIsRefused: who may write it has anything run with the rights
// of backups.
func TestAFileThatOthersMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir Dir, env string) (string, error){
		"by the group": func(dir Dir, _ string) (string, error) {
			return "can be written by others", os.Chmod(dir.Path("app1"), 0o664)
		},
		"by all": func(dir Dir, _ string) (string, error) {
			return "can be written by others", os.Chmod(dir.Path("app1"), 0o646)
		},
		"the directory": func(dir Dir, _ string) (string, error) {
			return "can be written by others", os.Chmod(string(dir), 0o777)
		},
		"the environment file":                 func(_ Dir, env string) (string, error) { return "can be written by others", os.Chmod(env, 0o622) },
		"a symbolic link":                      func(dir Dir, env string) (string, error) { return "is a symbolic link", relink(dir.Path("app1"), env) },
		"a directory":                          func(dir Dir, _ string) (string, error) { return "is not a file", redir(dir.Path("app1")) },
		"the file belongs to another":          func(dir Dir, _ string) (string, error) { return "belongs to user 12345", give(dir.Path("app1")) },
		"the environment belongs to another":   func(_ Dir, env string) (string, error) { return "belongs to user 12345", give(env) },
		"the directory belongs to another one": func(dir Dir, _ string) (string, error) { return "belongs to user 12345", give(string(dir)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, env := newDir(t)
			if err := dir.Write("app1", Runner{EnvFile: env}); err != nil {
				t.Fatal(err)
			}
			why, err := spoil(dir, env)
			if errors.Is(err, fs.ErrPermission) {
				testenv.Missing(t, "only root gives files away")
			}
			if err != nil {
				t.Fatal(err)
			}
			if r, err := dir.Read("app1"); err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("it is %+v, %v; want an error with %q", r, err, why)
			}
		})
	}
}

func relink(path, to string) error {
	return errors.Join(os.Remove(path), os.Symlink(to, path))
}

func redir(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) }

func give(path string) error { return os.Chown(path, 12345, -1) }

func TestAnEnvironmentFileMayBelongToTheModulesUser(t *testing.T) {
	t.Parallel()
	dir, env := newDir(t)
	if err := give(env); err != nil {
		testenv.Missing(t, "only root gives files away")
	}
	if err := dir.Write("app1", Runner{EnvFile: env, User: "12345:12345"}); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Read("app1"); err != nil {
		t.Error(err)
	}
}

func TestAModuleNeverGetsThePasswordOfTheNode(t *testing.T) {
	t.Setenv("REDIS_PASSWORD", "secret of the node")
	t.Setenv("NS8_AGENT_ENV", "/etc/node.env")
	t.Setenv("LC_TIME", "C")
	cmd, err := Runner{Command: []string{"env"}}.Invocation(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if text := string(out); strings.Contains(text, "secret") || strings.Contains(text, "NS8_AGENT_ENV") || !strings.Contains(text, "PATH=") || !strings.Contains(text, "LC_TIME=C") {
		t.Errorf("its environment is\n%s", text)
	}
}

func TestHowAModuleIsRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		runner Runner
		want   []string
	}{
		{Runner{EnvFile: "/srv/app1.env"}, []string{"gatewayctl", "--env-file", "/srv/app1.env", "module-backup", "1"}},
		{Runner{Command: []string{"docker", "exec", "app"}}, []string{"docker", "exec", "app", "module-backup", "1"}},
	} {
		cmd, err := c.runner.Invocation(t.Context(), "module-backup", "1")
		if err != nil || !slices.Equal(cmd.Args, c.want) {
			t.Errorf("%+v is run as %q, %v; want %q", c.runner, cmd.Args, err, c.want)
		}
	}
}

func TestAModuleRunsAsItsUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		testenv.Missing(t, "only root becomes another user")
	}
	cmd, err := Runner{Command: []string{"id"}, User: "12345:54321"}.Invocation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), "uid=12345 gid=54321") || strings.Contains(string(out), "root") {
		t.Errorf("id says %q, %v", out, err)
	}
}

func TestWithoutAFileNethServer8RunsItAndElsewhereItIsSaid(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	core := filepath.Join(base, "core.env")
	env := host.NewEnvironment(func(name string) (string, bool) {
		value := map[string]string{"NS8_CORE_ENV": core, "GATEWAY_MODULES_DIR": filepath.Join(base, "modules.d")}[name]
		return value, value != ""
	})
	if _, err := OnNode(env, "app1"); err == nil || !strings.Contains(err.Error(), "nothing says how module app1 is run") {
		t.Errorf("a module without a file: %v", err)
	}
	if err := os.WriteFile(core, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := OnNode(env, "app1")
	if err != nil || !slices.Equal(r.Command, []string{"runagent", "-m", "app1"}) {
		t.Errorf("with NethServer 8 it is %+v, %v", r, err)
	}
}
