package compose

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// TestImagesForArm64 builds both images for arm64 on amd64, as Dockerfile promises:
// by cross-compilation, as nothing of arm64 can run in a container here. What is in
// them then runs in an emulator. The gateway's is the curated one: to compile it for
// amd64 as well would take minutes, and show nothing more.
func TestImagesForArm64(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" {
		testenv.Missing(t, "this machine is not of amd64")
	}
	e := startEngine(t)
	emulator, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		testenv.Missing(t, "%v: run `make deps`", err)
	}
	files := filepath.Join(e.root, ".cache/arm64")
	if _, err := os.Stat(filepath.Join(files, "usr/bin/restic")); err != nil {
		testenv.Missing(t, "%v: run `make deps`", err)
	}
	// Names of other versions than those of the images for amd64.
	e.makeImage(t, "busybox:1.37-arm64", files, func(r *rootfs) {
		r.file(filepath.Join(files, "lib/ld-linux-aarch64.so.1"), "lib/ld-linux-aarch64.so.1")
		r.file(filepath.Join(files, "lib/aarch64-linux-gnu/libc.so.6"), "lib/aarch64-linux-gnu/libc.so.6")
	})
	e.makeImage(t, "restic/restic:0.18.1-arm64", files, func(r *rootfs) {
		r.file(filepath.Join(files, "usr/bin/restic"), "usr/bin/restic")
	})

	t.Run("the gateway", func(t *testing.T) {
		e.must(t, e.buildArgs("rclone-gateway-arm64", "gateway", "--platform=linux/arm64", "--build-arg=BACKENDS=curated")...)
		wantSmall(t, "the gateway with curated backends", e.megabytes(t, "rclone-gateway-arm64"), 45)
		root := e.wantArm64(t, "rclone-gateway-arm64", 1)
		run := func(ctx context.Context, args ...string) *exec.Cmd {
			return exec.CommandContext(ctx, emulator, append([]string{filepath.Join(root, "usr/bin/rclone-gateway")}, args...)...)
		}
		if out, err := run(t.Context(), "version").CombinedOutput(); err != nil || !strings.Contains(string(out), "rclone-gateway") {
			t.Errorf("version: %v\n%s", err, out)
		}
		serves(t, run)
	})
	t.Run("the client", func(t *testing.T) {
		e.must(t, e.buildArgs("rclone-gateway-client-arm64", "client", "--platform=linux/arm64",
			"--build-arg=BUSYBOX_VERSION=1.37-arm64", "--build-arg=RESTIC_VERSION=0.18.1-arm64")...)
		// busybox and its library, the library's loader, restic and gatewayctl.
		root := e.wantArm64(t, "rclone-gateway-client-arm64", 5)
		for _, c := range []struct {
			program string
			args    []string
			says    string
		}{
			{"bin/busybox", []string{"sh", "-c", "echo a shell"}, "a shell"},
			{"usr/bin/restic", []string{"version"}, "linux/arm64"},
			{"usr/bin/gatewayctl", []string{"version"}, "gatewayctl"},
		} {
			args := append([]string{"-L", root, filepath.Join(root, c.program)}, c.args...)
			out, err := exec.CommandContext(t.Context(), emulator, args...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), c.says) {
				t.Errorf("%s: %v\n%s", c.program, err, out)
			}
		}
	})
}

// serves starts the gateway with a Redis, and asks it by its own health check. It
// listens on a socket: it starts slowly, and until then a port could be taken.
func serves(t *testing.T, run func(context.Context, ...string) *exec.Cmd) {
	t.Helper()
	redis := redistest.Start(t)
	redis.SetupNS8()
	addr := "unix:" + filepath.Join(t.TempDir(), "socket")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	environment := append(os.Environ(), "GATEWAY_ADDR="+addr, "GATEWAY_STATE_DIR="+t.TempDir(), "NODE_ID=1",
		"REDIS_ADDRESS="+redis.Addr, "REDIS_USER=node/1", "REDIS_PASSWORD="+redistest.Password("node/1"))
	serve := run(ctx, "serve")
	serve.Env = environment
	var log bytes.Buffer
	serve.Stdout, serve.Stderr = &log, &log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = serve.Wait() // it is killed
		close(ended)
	}()
	healthy := false
	var last []byte
	defer func() {
		if t.Failed() {
			t.Logf("the last health check said: %s", last)
		}
	}()
	waitFor(t, "the gateway to be healthy or to end", func() bool {
		health := run(ctx, "health")
		health.Env = environment
		said, err := health.CombinedOutput()
		healthy, last = err == nil, said
		select {
		case <-ended:
			return true
		default:
			return healthy
		}
	})
	cancel()
	<-ended
	if !healthy {
		t.Errorf("the gateway ended\n%s", log.String())
	}
}

// makeImage makes an image for arm64 of files of Debian's packages.
func (e *engine) makeImage(t *testing.T, name, files string, fill func(*rootfs)) {
	t.Helper()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "rootfs.tar"))
	if err != nil {
		t.Fatal(err)
	}
	r := newRootfs(file, filepath.Join(files, "bin/busybox"))
	fill(r)
	err = errors.Join(r.close(), file.Close(),
		os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nADD rootfs.tar /\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	e.must(t, "build", "--platform=linux/arm64", "--tag="+name, dir)
}

// wantArm64 unpacks an image, in which all of a number of binaries are to be for arm64.
func (e *engine) wantArm64(t *testing.T, name string, binaries int) (root string) {
	t.Helper()
	if architecture := e.image(t, name).Architecture; architecture != "arm64" {
		t.Errorf("%s is for %s", name, architecture)
	}
	container := strings.TrimSpace(e.must(t, "create", "--platform=linux/arm64", name))
	defer e.must(t, "rm", container)
	root = t.TempDir()
	archive := filepath.Join(t.TempDir(), "image.tar")
	e.must(t, "export", "--output="+archive, container)
	if out, err := exec.CommandContext(t.Context(), "tar", "-xf", archive, "-C", root, "--exclude=dev").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if machine := machineOf(path); machine != elf.EM_NONE {
			found++
			if machine != elf.EM_AARCH64 {
				t.Errorf("%s of %s is for %v", strings.TrimPrefix(path, root), name, machine)
			}
		}
		return nil
	})
	if err != nil || found != binaries {
		t.Errorf("%d binaries in %s, want %d (%v)", found, name, binaries, err)
	}
	return root
}

// machineOf is what a binary is for; nothing for files of other kinds.
func machineOf(path string) elf.Machine {
	binary, err := elf.Open(path)
	if err != nil {
		return elf.EM_NONE
	}
	defer func() { _ = binary.Close() }()
	return binary.Machine
}
