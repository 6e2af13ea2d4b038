package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Process is a server that was started for the measurement.
type Process struct {
	cmd    *exec.Cmd
	Output *bytes.Buffer
	exited chan struct{}
}

// startProcess starts a program that listens on addr, and waits until it does.
func startProcess(ctx context.Context, addr string, env []string, name string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(name, args...), Output: new(bytes.Buffer), exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.Output, p.Output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // what it printed says more than how it ended
		close(p.exited)
	}()
	if err := p.waitFor(ctx, addr); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s: %w\n%s", name, err, p.Output)
	}
	return p, nil
}

// startTime bounds the start of a server, on a machine that may do much else.
const startTime = 2 * time.Minute

// waitFor returns once somebody listens on addr.
func (p *Process) waitFor(ctx context.Context, addr string) error {
	var dialer net.Dialer
	return Poll(ctx, startTime, func() error {
		select {
		case <-p.exited:
			return fatal{errors.New("has ended")}
		default:
		}
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// Stop ends the process, and does not return before it has ended.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// CPU is the time that the process spent, as user and in the kernel: that of its threads,
// since /proc has the sum in ticks of 10 ms alone. A nil process has spent none.
func (p *Process) CPU() (time.Duration, error) {
	if p == nil {
		return 0, nil
	}
	threads, err := filepath.Glob(p.proc("task/*/schedstat"))
	if err != nil {
		return 0, err
	}
	sum := time.Duration(0)
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			return 0, err // Go's threads stay
		}
		spent, _, _ := strings.Cut(string(stat), " ")
		ns, err := strconv.ParseInt(spent, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// ResetPeak makes peak begin again, at what is resident now.
func (p *Process) ResetPeak() error {
	return os.WriteFile(p.proc("clear_refs"), []byte("5"), 0)
}

// Peak is the largest resident set since the last reset, in bytes.
func (p *Process) Peak() (int64, error) { return p.Status("VmHWM:") }

// Status is what /proc says of the process' memory under a key, in bytes.
func (p *Process) Status(key string) (int64, error) {
	status, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, key); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in %s", key, p.proc("status"))
}

func (p *Process) proc(name string) string {
	return fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, name)
}

// fatal is an error that polling again does not heal.
type fatal struct{ error }

// Poll tries until try succeeds, fails for good, or the time is over.
func Poll(ctx context.Context, limit time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond) // a start takes 100 or so
	defer tick.Stop()
	for {
		err := try()
		if err == nil || errors.As(err, new(fatal)) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("still after %v: %w", limit, err)
		}
	}
}

// freeAddr is a loopback address nobody listens on just now.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Program finds a binary, and says how to make it where it is missing.
func Program(name, remedy string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) {
		if _, err := os.Stat(name); err != nil {
			return "", fmt.Errorf("%w: run %q first", err, remedy)
		}
		return filepath.Abs(name)
	}
	return exec.LookPath(name)
}
