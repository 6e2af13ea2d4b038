package client

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

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// step is a part of an action: a program of the module, or built in.
type step struct {
	name   string
	weight int // of built-in steps: their share of the action's progress
	file   string
	run    func(ctx context.Context, input []byte) error
}

// withFiles returns the built-in steps and those of the module's directory dir in
// the order of their names. A program of the same name replaces a built-in step.
// What is no program is left out, and told by warn.
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
		// The agent keeps the schemas of input and output beside the steps.
		if strings.HasPrefix(name, ".") || filepath.Ext(name) == ".json" {
			continue
		}
		info, err := os.Stat(file)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read the module's steps: %w", err)
		case !info.Mode().IsRegular():
			continue
		case info.Mode()&0o111 == 0:
			warn("step %s is not executable: left out (chmod a+x %s)", name, file)
			continue
		}
		steps[name] = step{name: name, weight: steps[name].weight, file: file}
	}
	return slices.SortedFunc(maps.Values(steps), func(a, b step) int { return cmp.Compare(a.name, b.name) }), nil
}

// action runs the steps of an action the way NS8's agent does.
type action struct {
	sys                  *system
	installDir, stateDir string
	input                []byte
}

// run runs the steps one after the other, each with the whole input. The first
// one that fails ends it.
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

// runProgram runs a module's step. Its error leads to the step's own exit status.
// When ctx is cancelled the step and what it has started get SIGTERM, and the
// time that restic gets.
func (a action) runProgram(ctx context.Context, file string) error {
	cmd := exec.CommandContext(ctx, file)
	cmd.Dir = a.stateDir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(a.input), a.sys.stdout, a.sys.stderr
	channel := "2"
	if f, ok := a.sys.agent().w.(*os.File); ok && f.Fd() > 2 {
		cmd.ExtraFiles = []*os.File{f}
		channel = "3"
	}
	var err error
	if cmd.Env, err = a.stepEnvironment(channel); err != nil {
		return err
	}
	cmd.WaitDelay = restic.Grace
	return stepError(runModuleCommand(cmd))
}

// stepEnvironment is the environment of a step: ours, with what the module's file
// environment says by now, and the module's programs first in PATH.
func (a action) stepEnvironment(channel string) ([]string, error) {
	env := os.Environ()
	data, err := os.ReadFile(filepath.Join(a.stateDir, "environment"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the module's environment: %w", err)
	}
	vars := parseEnv(data)
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, name+"="+vars[name])
	}
	bin := filepath.Join(a.installDir, "bin")
	path := cmp.Or(vars["PATH"], os.Getenv("PATH"))
	if !slices.Contains(filepath.SplitList(path), bin) {
		path = bin + string(os.PathListSeparator) + path
	}
	return append(env, "PATH="+path, "AGENT_COMFD="+channel), nil
}

// stepError gives a program's failure the exit status of the program.
func stepError(err error) error {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return failf(exitSignal+exitCode(status.Signal()), "it was ended by signal %d (%v)", int(status.Signal()), status.Signal())
	}
	return failf(exitCode(exit.ExitCode()), "it ended with exit status %d", exit.ExitCode())
}
