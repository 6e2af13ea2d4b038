package restore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/state"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
)

// step is a step of an action: a program of the module, or built in.
type step struct {
	name   string
	weight int // of a built-in step: its share of the action's progress
	file   string
	run    func(ctx context.Context, input []byte) error
}

// withFiles returns the built-in steps and those in the module's directory dir, ordered by
// name. A program replaces the built-in step of the same name. It warns about files that
// are not run.
func withFiles(builtIn []step, dir string, warn func(format string, args ...any)) ([]step, error) {
	steps := map[string]step{}
	for _, s := range builtIn {
		steps[s.name] = s
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the module's steps: %w", err)
	}
	for _, entry := range entries {
		name, file := entry.Name(), filepath.Join(dir, entry.Name())
		if entry.IsDir() || notMeantAsStep(file) {
			continue
		}
		if wrong := state.UnusableProgram(file); wrong != "" {
			warn("step %s is not run: %s %s", name, file, wrong)
			continue
		}
		steps[name] = step{name: name, weight: steps[name].weight, file: file}
	}
	return slices.SortedFunc(maps.Values(steps), func(a, b step) int { return cmp.Compare(a.name, b.name) }), nil
}

// notMeantAsStep reports whether a file beside the steps is something else: the schemas of
// input and output, or leftovers of tools. An executable file always counts as a step,
// since the agent runs it.
func notMeantAsStep(file string) bool {
	name := filepath.Base(file)
	if name == "validate-input.json" || name == "validate-output.json" {
		return true
	}
	return (strings.HasPrefix(name, ".") || filepath.Ext(name) == ".json") && state.UnusableProgram(file) != ""
}

// moduleSteps reports whether any step is a program of the module.
func moduleSteps(steps []step) bool {
	return slices.ContainsFunc(steps, func(s step) bool { return s.file != "" })
}

// action runs the steps of an action like NethServer 8's agent.
type action struct {
	sys                  *host.System
	name                 string
	installDir, stateDir string
	input                []byte
}

// run runs the steps in order, each with the complete input. It ends at the first failure.
func (a action) run(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := a.runStep(ctx, s); err != nil {
			return fmt.Errorf("step %s: %w", s.name, err)
		}
	}
	return nil
}

func (a action) runStep(ctx context.Context, s step) error {
	switch {
	case s.file != "":
		return a.runProgram(ctx, s.file)
	case s.run != nil:
		return s.run(ctx, a.input)
	default:
		return nil
	}
}

// runProgram runs a module's step. Its error has the step's exit status. When ctx is
// cancelled, the step and its children get SIGTERM, and as much time as restic.
func (a action) runProgram(ctx context.Context, file string) error {
	cmd := exec.CommandContext(ctx, file)
	cmd.Dir = a.stateDir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(a.input), a.sys.Stdout, a.sys.Stderr
	channel, err := openStepChannel(a.sys.Agent())
	if err != nil {
		return fmt.Errorf("the step's channel to the agent: %w", err)
	}
	cmd.ExtraFiles = []*os.File{channel.write}
	if cmd.Env, err = a.stepEnvironment(); err == nil {
		cmd.WaitDelay = restic.Grace
		err = stepError(state.RunModuleCommand(cmd))
	}
	channel.close()
	if err == nil && channel.invalid {
		return exit.Failf(exit.Invalid, "it found the request not to be valid")
	}
	return err
}

// stepEnvironment returns the environment of a step: ours, the literal content of the
// module's present file environment, what the agent adds, and a PATH with the module's
// programs.
func (a action) stepEnvironment() ([]string, error) {
	data, err := os.ReadFile(filepath.Join(a.stateDir, "environment"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the module's environment: %w", err)
	}
	env := os.Environ()
	own := map[string]string{}
	for line := range strings.SplitSeq(string(data), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok {
			own[name] = value
			env = append(env, line)
		}
	}
	bin := filepath.Join(a.installDir, "bin")
	path := cmp.Or(own["PATH"], os.Getenv("PATH"))
	if !slices.Contains(filepath.SplitList(path), bin) {
		path = bin + string(os.PathListSeparator) + path
	}
	env = append(env, "PATH="+path, "AGENT_COMFD="+stepDescriptor)
	return append(env, a.agentVariables(own)...), nil
}

// agentVariables returns the variables that NethServer 8's agent gives every step, without
// those already set.
func (a action) agentVariables(own map[string]string) []string {
	moduleID, _ := a.sys.Env.ModuleID()
	var vars []string
	for _, v := range []envfile.Variable{
		{Name: "AGENT_ID", Value: account.ModuleUser(moduleID)},
		{Name: "AGENT_INSTALL_DIR", Value: a.installDir},
		{Name: "AGENT_STATE_DIR", Value: a.stateDir},
		{Name: "AGENT_TASK_ID", Value: account.NewUUID()},
		{Name: "AGENT_TASK_ACTION", Value: a.name},
		{Name: "AGENT_TASK_USER", Value: ""},
	} {
		if _, given := a.sys.Env.Lookup(v.Name); !given && own[v.Name] == "" {
			vars = append(vars, v.Name+"="+v.Value)
		}
	}
	return vars
}

// stepError gives a program's failure the program's exit status.
func stepError(err error) error {
	ended, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return err
	}
	if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exit.Failf(exit.Signal+exit.Code(status.Signal()), "it was ended by signal %d (%v)", int(status.Signal()), status.Signal())
	}
	return exit.Failf(exit.Code(ended.ExitCode()), "it ended with exit status %d", ended.ExitCode())
}
