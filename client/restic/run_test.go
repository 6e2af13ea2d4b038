package restic

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets this binary play restic and Podman, when called by their names.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "restic":
		os.Exit(playRestic(os.Args[1:]))
	case "podman":
		os.Exit(playPodman(os.Args[1:]))
	case "wrapper":
		os.Exit(playWrapper(os.Args[1:]))
	}
	os.Exit(m.Run())
}

func playRestic(args []string) int {
	switch args[0] {
	case "echo":
		_, _ = io.Copy(os.Stdout, os.Stdin)
	case "inherited":
		_, _ = io.Copy(os.Stdout, os.NewFile(3, "inherited"))
	case "version":
		fmt.Println("restic 0.17.3 compiled with go1.23 on linux/amd64")
	case "fail":
		fmt.Fprintln(os.Stderr, strings.Repeat("noise\n", 10_000)+"Fatal: wrong password or no key found")
		return 1
	case "wait":
		interrupts := make(chan os.Signal, 1)
		signal.Notify(interrupts, syscall.SIGINT)
		fmt.Println("ready", syscall.Getpgrp() == os.Getpid())
		<-interrupts
		fmt.Println("lock dropped")
		return 130
	case "ask": // until it has an answer; SIGTERM ends it, as it does restic 0.14
		signals := make(chan os.Signal, 4)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGHUP)
		_, err := unix.IoctlGetTermios(0, unix.TCGETS)
		fmt.Println("ready, a terminal:", err == nil)
		count := make(chan int)
		answered := make(chan struct{})
		go func() {
			n := 0
			for {
				select {
				case sig := <-signals:
					n++
					fmt.Printf("signal %d: %v\n", n, sig)
				case <-answered:
					count <- n
				}
			}
		}()
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		close(answered)
		fmt.Println("signals:", <-count)
		return 12
	case "full":
		interrupts := make(chan os.Signal, 1)
		signal.Notify(interrupts, syscall.SIGINT)
		fmt.Fprintln(os.Stderr, "Save(<data/0123>) returned error, retrying after 552ms: unexpected HTTP response (503): 503 Service Unavailable")
		fmt.Fprintln(os.Stderr, "Save(<data/0123>) returned error, retrying after 1.2s: unexpected HTTP response (507): 507 Insufficient Storage")
		<-interrupts
		fmt.Println("lock dropped")
		return 130
	case "die":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return 0
}

// playPodman notes its calls, and runs restic for podman run.
func playPodman(args []string) int {
	calls, err := os.OpenFile(os.Getenv("PODMAN_CALLS"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 125
	}
	fmt.Fprintln(calls, strings.Join(args, " "))
	if image := slices.Index(args, "image"); image >= 0 {
		return playRestic(args[image+1:])
	}
	return 0
}

// onPath puts this binary on PATH under the names.
func onPath(t *testing.T, names ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range names {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv("PODMAN_CALLS", filepath.Join(dir, "calls"))
}

func TestRunConnectsTheStreams(t *testing.T) {
	onPath(t, "restic")
	var out bytes.Buffer
	err := Invocation{Runtime: Native, Args: []string{"echo"}}.Run(t.Context(), Streams{Stdin: strings.NewReader("hello"), Stdout: &out})
	if err != nil || out.String() != "hello" {
		t.Errorf("Run = %v with output %q", err, out.String())
	}
}

func TestFilesAreOpenInANativeRestic(t *testing.T) {
	onPath(t, "restic")
	name := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(name, []byte("held"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var out bytes.Buffer
	err = Invocation{Runtime: Native, Args: []string{"inherited"}, Files: []*os.File{file}}.Run(t.Context(), Streams{Stdout: &out})
	if err != nil || out.String() != "held" {
		t.Errorf("Run = %v, and restic read %q", err, out.String())
	}
}

func TestRunTellsWhyResticFailed(t *testing.T) {
	onPath(t, "restic")
	var stderr bytes.Buffer
	err := Invocation{Runtime: Native, Args: []string{"fail"}}.Run(t.Context(), Streams{Stderr: &stderr})
	failure, ok := errors.AsType[*Failure](err)
	if !ok || failure.Reason != WrongKey || failure.Code != 1 || len(failure.Detail) > tailSize {
		t.Errorf("Run = %#v, want a wrong key", err)
	}
	if stderr.Len() < 60_000 {
		t.Errorf("only %d bytes of stderr came through", stderr.Len())
	}
}

func TestRunWithoutTheProgram(t *testing.T) {
	onPath(t)
	for _, runtime := range []Runtime{Native, Podman} {
		err := Invocation{Runtime: runtime, Args: []string{"version"}}.Run(t.Context(), Streams{})
		failure, ok := errors.AsType[*Failure](err)
		if !ok || failure.Reason != NoRuntime || !strings.Contains(failure.Detail, "is not on PATH") {
			t.Errorf("%s: Run = %v, want that it is not on PATH", runtime, err)
		}
	}
}

// TestCancelLetsResticDropItsLock cancels a run, and wants restic to get one
// SIGINT, in a process group of its own, and the time to do its work.
func TestCancelLetsResticDropItsLock(t *testing.T) {
	for _, runtime := range []Runtime{Native, Podman} {
		t.Run(string(runtime), func(t *testing.T) {
			onPath(t, "restic", "podman")
			stop := errors.New("stopped by the test")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			read, write := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				ended <- Invocation{Runtime: runtime, Image: "image", Name: "restic-x-1", Args: []string{"wait"}}.Run(ctx, Streams{Stdout: write})
				_ = write.Close()
			}()
			lines := bufio.NewScanner(read)
			for _, want := range []string{"ready true", "lock dropped"} {
				if !lines.Scan() || lines.Text() != want {
					t.Fatalf("restic says %q, want %q", lines.Text(), want)
				}
				cancel(stop)
			}
			_, _ = io.Copy(io.Discard, read)
			if err := <-ended; !errors.Is(err, stop) {
				t.Errorf("Run = %v, want the cause of the cancellation", err)
			}
		})
	}
}

// TestFullStorageEndsTheRun has a restic that would ask a full storage again and
// again.
func TestFullStorageEndsTheRun(t *testing.T) {
	onPath(t, "restic")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, stderr bytes.Buffer
	err := Invocation{Runtime: Native, Args: []string{"full"}}.Run(ctx, Streams{Stdout: &out, Stderr: &stderr})
	failure, ok := errors.AsType[*Failure](err)
	if !ok || failure.Reason != Full || failure.Killed() || !strings.Contains(failure.Detail, "(507)") {
		t.Errorf("Run = %#v, want a full storage", err)
	}
	if out.String() != "lock dropped\n" || strings.Count(stderr.String(), "\n") != 2 {
		t.Errorf("restic said %q and %q", out.String(), stderr.String())
	}
}

func TestPodmanThatWasKilledLeavesNoContainer(t *testing.T) {
	onPath(t, "podman")
	err := Invocation{Runtime: Podman, Image: "image", Name: "restic-x-1", Args: []string{"die"}}.Run(t.Context(), Streams{})
	if failure, ok := errors.AsType[*Failure](err); !ok || failure.Code != -1 {
		t.Errorf("Run = %v, want a failure by a signal", err)
	}
	calls, err := os.ReadFile(os.Getenv("PODMAN_CALLS"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nstop --ignore --time=60 restic-x-1\n", "\nrm --force --ignore restic-x-1\n"} {
		if !strings.Contains(string(calls), want) {
			t.Errorf("podman was not called with %q:\n%s", want, calls)
		}
	}
}

func TestDetect(t *testing.T) {
	onPath(t, "restic")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := Detect(ctx, Invocation{Runtime: Native, Dir: "/nonexistent"})
	if want := (Version{0, 17, 3}); got != want || err != nil {
		t.Errorf("Detect = %v, %v; want %v", got, err, want)
	}
}

// TestDetectAsksAgainWhenNothingIsSaid has a restic that is silent at first.
func TestDetectAsksAgainWhenNothingIsSaid(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\n[ -e " + dir + "/asked ] && echo restic 0.14.0 compiled with go1.19 || : >" + dir + "/asked\n"
	if err := os.WriteFile(dir+"/restic", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	if got, err := Detect(t.Context(), Invocation{Runtime: Native}); got != (Version{0, 14, 0}) || err != nil {
		t.Errorf("Detect = %v, %v", got, err)
	}
}
