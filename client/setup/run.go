package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// programName is this program's name in printed commands.
const programName = "gatewayctl"

// setup is a setup in progress.
type setup struct {
	sys     *host.System
	opts    *options
	layout  layout
	modules []module
	program string   // path of this program
	added   []module // the new ones among modules
}

// own runs this program with an environment file, and returns its output.
func (s *setup) own(ctx context.Context, env string, args ...string) (string, error) {
	args = append([]string{"--env-file", env}, args...)
	s.show(programName, args...)
	return s.execute(ctx, s.program, args...)
}

// quiet is own for queries: it prints neither the command nor its messages.
func (s *setup) quiet(ctx context.Context, env string, args ...string) ([]byte, error) {
	cmd := s.command(ctx, s.program, append([]string{"--env-file", env}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, ended(err, programName, fmt.Sprintf("%s: %s", strings.Join(args, " "), strings.TrimSpace(said.String())))
	}
	return out, nil
}

// other runs a program of the system.
func (s *setup) other(ctx context.Context, name string, args ...string) error {
	s.show(name, args...)
	_, err := s.execute(ctx, name, args...)
	return err
}

func (s *setup) show(name string, args ...string) {
	words := []string{shellWord(name)}
	for _, arg := range args {
		words = append(words, shellWord(arg))
	}
	s.sys.Notef("  $ %s", strings.Join(words, " "))
}

func (s *setup) command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	if path == s.program {
		cmd.Args[0] = programName
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd
}

// execute runs a program that may ask questions at the terminal.
func (s *setup) execute(ctx context.Context, path string, args ...string) (string, error) {
	cmd := s.command(ctx, path, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, s.sys.Stderr
	if s.sys.Prompter() != nil {
		cmd.Stdin = s.sys.Stdin
	}
	err := cmd.Run()
	return out.String(), ended(err, cmd.Args[0], "see above")
}

// ended explains a program's exit; nil stays nil.
func ended(err error, name, more string) error {
	if err == nil {
		return nil
	}
	code := exit.Failed
	if status, ok := errors.AsType[*exec.ExitError](err); ok && status.ExitCode() > 0 && name == programName {
		code = exit.Code(status.ExitCode())
	}
	return exit.With(code, fmt.Errorf("%s: %w: %s", name, err, more))
}

// neededPrograms are required programs and the packages that contain them.
var neededPrograms = []struct{ name, of string }{
	{"redis-server", "redis-server (Debian), redis (others)"}, {"restic", "restic"}, {"rclone-gateway", "rclone-gateway"},
}

// checkPrograms returns an error that lists missing programs.
func checkPrograms() error {
	var missing []string
	for _, p := range neededPrograms {
		if _, err := exec.LookPath(p.name); err != nil {
			missing = append(missing, fmt.Sprintf("%s, of the package %s", p.name, p.of))
		}
	}
	if missing == nil {
		return nil
	}
	return exit.Failf(exit.Failed, "not installed: %s: install it, for instance with apt install, and run this again", strings.Join(missing, "; "))
}
