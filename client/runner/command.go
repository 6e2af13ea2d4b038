package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// passedOn are the variables that a module's command inherits. It does not get any others,
// such as the node's password.
var passedOn = []string{
	"PATH", "LANG", "TZ", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "RESTIC_CACHE_DIR",
	"DOCKER_HOST", "CONTAINER_HOST", "NS8_GATEWAY_URL", "NS8_LOG_JSON", "NS8_METRICS_DIR", "NS8_RESTIC_RUNTIME", "NS8_CORE_ENV",
	"GOCOVERDIR", "GORACE",
}

// OnNode returns how a module of this node is run: as its file says or, without a file on
// NethServer 8, by runagent.
func OnNode(env *host.Environment, id string) (Runner, error) {
	r, err := DirOf(env).Read(id)
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if env.OnNS8() {
		return Runner{Command: []string{"runagent", "-m", id}}, nil
	}
	return Runner{}, exit.Failf(exit.NotFound, "nothing says how module %[1]s is run on this node: there is no %[2]s; \"gatewayctl module add --dir DIR --env-file FILE %[1]s\" writes it",
		id, DirOf(env).Path(id))
}

// Invocation returns a command of a module with arguments, such as module-backup 1. Start
// it with [exec.Cmd.Start] after setting its streams. When ctx ends, the process gets
// SIGTERM and is waited for.
func (r Runner) Invocation(ctx context.Context, args ...string) (*exec.Cmd, error) {
	var cmd *exec.Cmd
	if len(r.Command) > 0 {
		cmd = exec.CommandContext(ctx, r.Command[0], slices.Concat(r.Command[1:], args)...)
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	} else {
		var err error
		if cmd, err = host.Self(ctx, slices.Concat([]string{"--env-file", r.EnvFile}, args)...); err != nil {
			return nil, err
		}
	}
	cmd.Env = environment(passedOn)
	if r.User == "" {
		cmd.Env = append(cmd.Env, environment(ownAccount)...)
		return cmd, nil
	}
	return cmd, r.become(cmd)
}

// ownAccount are variables for processes of the same user.
var ownAccount = []string{"HOME", "USER", "LOGNAME"}

// environment returns those variables that are set, and those of the locale.
func environment(names []string) []string {
	var env []string
	for _, assignment := range os.Environ() {
		name, _, _ := strings.Cut(assignment, "=")
		if slices.Contains(names, name) || strings.HasPrefix(name, "LC_") {
			env = append(env, assignment)
		}
	}
	return env
}

// become makes a command run as the runner's user.
func (r Runner) become(cmd *exec.Cmd) error {
	account, err := lookUp(r.User)
	if err != nil {
		return err
	}
	cmd.Env = append(cmd.Env, "HOME="+account.home)
	if account.name != "" {
		cmd.Env = append(cmd.Env, "USER="+account.name, "LOGNAME="+account.name)
	}
	cmd.Dir = "/"
	if account.uid == uint32(os.Geteuid()) {
		return nil
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: account.uid, Gid: account.gid, Groups: account.groups}}
	return nil
}

// account is a user of the system.
type account struct {
	name, home string
	uid, gid   uint32
	groups     []uint32
}

// lookUp finds a user by name or, as in a container without a user database, by UID:GID.
func lookUp(name string) (account, error) {
	if uid, gid, found := strings.Cut(name, ":"); found {
		u, err1 := parseID(uid)
		g, err2 := parseID(gid)
		if err := errors.Join(err1, err2); err != nil {
			return account{}, exit.Failf(exit.Usage, "%s %q is neither a name nor UID:GID", keyUser, host.Printable(name))
		}
		return account{uid: u, gid: g, home: "/"}, nil
	}
	found, err := user.Lookup(name)
	if err != nil {
		return account{}, exit.Failf(exit.Usage, "%s %q: this system has no such user", keyUser, host.Printable(name))
	}
	a := account{name: found.Username, home: found.HomeDir}
	if a.uid, err = parseID(found.Uid); err != nil {
		return account{}, err
	}
	if a.gid, err = parseID(found.Gid); err != nil {
		return account{}, err
	}
	groups, err := found.GroupIds()
	if err != nil {
		return account{}, fmt.Errorf("find the groups of user %s: %w", name, err)
	}
	for _, group := range groups {
		id, err := parseID(group)
		if err != nil {
			return account{}, err
		}
		a.groups = append(a.groups, id)
	}
	return a, nil
}

func parseID(text string) (uint32, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	return uint32(id), err
}

// checkEnvFile refuses an environment file that users other than the module's may write: it
// could set PATH. A missing file fails when it is used.
func (r Runner) checkEnvFile() error {
	var others []uint32
	if r.User != "" {
		account, err := lookUp(r.User)
		if err != nil {
			return err
		}
		others = append(others, account.uid)
	}
	info, err := os.Stat(r.EnvFile)
	if errors.Is(err, fs.ErrNotExist) {
		return exit.Failf(exit.Usage, "the environment file %s is missing: \"gatewayctl module add --env-file\" writes it again", r.EnvFile)
	}
	if err != nil {
		return exit.Failf(exit.Usage, "the environment file: %w", err)
	}
	return CheckOwner(r.EnvFile, info, others...)
}
