package restic

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// playWrapper is a program that runs restic in its place.
func playWrapper(args []string) int {
	err := Invocation{Runtime: Native, Args: args}.Foreground(context.Background(), Streams{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
	failure, ok := errors.AsType[*Failure](err)
	if !ok {
		fmt.Println("ended:", err)
		return 99
	}
	fmt.Printf("reason %d\n", failure.Reason)
	return failure.Code
}

// atTerminal makes cmd the foreground of a terminal of its own, and returns what stands
// before it.
func atTerminal(t *testing.T, cmd *exec.Cmd) *os.File {
	t.Helper()
	keys, tty := testenv.Terminal(t)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return keys
}

// wantLines reads until each text was on a line, in that order, and returns all.
func wantLines(t *testing.T, out *bufio.Reader, texts ...string) string {
	t.Helper()
	var all strings.Builder
	for _, text := range texts {
		for {
			line, err := out.ReadString('\n')
			all.WriteString(line)
			if strings.Contains(line, text) {
				break
			}
			if err != nil {
				t.Fatalf("%q was not said: %v\n%s", text, err, all.String())
			}
		}
	}
	return all.String()
}

// TestCtrlCReachesAResticInTheForegroundOnce types it, and answers restic then.
func TestCtrlCReachesAResticInTheForegroundOnce(t *testing.T) {
	onPath(t, "restic", "wrapper")
	cmd := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("PATH"), "wrapper"), "ask")
	keys := atTerminal(t, cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(keys)
	wantLines(t, out, "ready, a terminal: true")
	if _, err := keys.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	wantLines(t, out, "signal 1: interrupt")
	if _, err := keys.WriteString("go on\n"); err != nil {
		t.Fatal(err)
	}
	said := wantLines(t, out, "signals: 1", fmt.Sprintf("reason %d", WrongKey))
	if strings.Contains(said, "signal 2") {
		t.Errorf("a second signal: %s", said)
	}
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 12 {
		t.Errorf("it ended with %v", err)
	}
}

// TestSignalsReachAResticInTheForeground sends them to the program that runs it.
func TestSignalsReachAResticInTheForeground(t *testing.T) {
	onPath(t, "restic", "wrapper")
	for sig, code := range map[syscall.Signal]int{syscall.SIGINT: 12, syscall.SIGHUP: 12, syscall.SIGTERM: 128 + int(syscall.SIGTERM)} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("PATH"), "wrapper"), "ask")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		stdin, errIn := cmd.StdinPipe()
		stdout, errOut := cmd.StdoutPipe()
		if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		out := bufio.NewReader(stdout)
		wantLines(t, out, "ready, a terminal: false")
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if code == 12 {
			wantLines(t, out, "signal 1: "+sig.String())
			_, _ = io.WriteString(stdin, "go on\n")
		}
		_, _ = io.Copy(io.Discard, out)
		err := cmd.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != code {
			t.Errorf("%v: it ended with %v, want %d", sig, err, code)
		}
	}
}
