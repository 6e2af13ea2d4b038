package compose

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// makeImages makes the images that Dockerfile and compose.yaml name, from programs
// of this machine: what these two files rely on is the same as in the originals.
func (e *engine) makeImages() error {
	for _, image := range []struct {
		name    string
		fill    func(*rootfs)
		changes []string
	}{
		{"busybox:1.37-musl", func(r *rootfs) {
			// The original has a library of its own; Debian's restic needs glibc.
			r.libraries(e.program("RESTIC_0_18", ".cache/restic/0.18/restic"))
		}, nil},
		{"golang:1.26-alpine", func(r *rootfs) {
			r.goroot()
			r.gocache(e.root)
		}, []string{
			"ENV PATH=/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin", "ENV GOPATH=/go", "ENV GOTOOLCHAIN=local",
			"ENV GOCACHEPROG='/usr/local/bin/gocache " + goServer + "/gocache /go/build-cache'",
		}},
		{"restic/restic:0.18.1", func(r *rootfs) {
			r.program(e.program("RESTIC_0_18", ".cache/restic/0.18/restic"), "usr/bin/restic")
		}, []string{`ENTRYPOINT ["/usr/bin/restic"]`}},
		{"rclone/rclone:1.76", func(r *rootfs) {
			r.program(e.program("RCLONE", ".cache/bin/rclone"), "usr/local/bin/rclone")
		}, []string{`ENTRYPOINT ["rclone"]`, "WORKDIR /data"}},
		{"redis:7-alpine", func(r *rootfs) {
			r.program("redis-server", "usr/local/bin/redis-server")
			r.program("redis-cli", "usr/local/bin/redis-cli")
			r.program("setpriv", "usr/local/bin/setpriv")
			r.text("usr/local/bin/docker-entrypoint.sh", 0o755, redisEntrypoint)
			r.directory("data", 0o755, 999)
		}, []string{`ENTRYPOINT ["docker-entrypoint.sh"]`, "WORKDIR /data", "VOLUME /data"}},
	} {
		if _, err := e.docker(patience, "image", "inspect", image.name); err == nil && os.Getenv("CI") == "" {
			continue
		}
		if err := e.importImage(image.name, image.fill, image.changes); err != nil {
			return fmt.Errorf("make %s: %w", image.name, err)
		}
	}
	return nil
}

// redisEntrypoint does what the original does: begun as root, it gives the files to
// redis and becomes that user. A shell of busybox prefers its own setpriv.
const redisEntrypoint = `#!/bin/sh
set -e
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
  find /data ! -user redis -exec chown redis {} +
  exec /usr/local/bin/setpriv --reuid=999 --regid=999 --clear-groups "$0" "$@"
fi
umask 0077
exec "$@"
`

func (e *engine) importImage(name string, fill func(*rootfs), changes []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	args := []string{"import", "--platform=linux"}
	for _, change := range changes {
		args = append(args, "--change="+change)
	}
	cmd := exec.CommandContext(ctx, "/usr/bin/docker", append(args, "-", name)...)
	cmd.Env = e.environ()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r := newRootfs(stdin, "/bin/busybox")
	fill(r)
	err = errors.Join(r.close(), stdin.Close())
	if waited := cmd.Wait(); waited != nil {
		return fmt.Errorf("%w: %s", waited, output.String())
	}
	return err
}

// rootfs writes a root file system as a tar file. It begins with what all our images
// have: busybox for the commands, and certificates.
type rootfs struct {
	tar  *tar.Writer
	have map[string]bool
	err  error // the first one
}

func newRootfs(w io.Writer, busybox string) *rootfs {
	r := &rootfs{tar: tar.NewWriter(w), have: map[string]bool{}}
	r.file(busybox, "bin/busybox")
	applets, err := exec.Command("/bin/busybox", "--list").Output()
	r.fail(err)
	for applet := range strings.FieldsSeq(string(applets)) {
		if applet != "busybox" {
			r.link("bin/"+applet, "/bin/busybox")
		}
	}
	r.directory("tmp", 0o1777, 0)
	r.directory("root", 0o700, 0)
	r.text("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\nredis:x:999:999::/data:/sbin/nologin\n")
	r.text("etc/group", 0o644, "root:x:0:\nredis:x:999:\n")
	r.file("/etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/ca-certificates.crt")
	return r
}

func (r *rootfs) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *rootfs) close() error {
	r.fail(r.tar.Close())
	return r.err
}

func (r *rootfs) header(h *tar.Header) {
	if r.err != nil || r.have[h.Name] {
		return
	}
	if dir := filepath.Dir(h.Name); dir != "." && !r.have[dir] {
		r.directory(dir, 0o755, 0)
	}
	r.have[h.Name] = true
	r.fail(r.tar.WriteHeader(h))
}

func (r *rootfs) directory(name string, mode int64, owner int) {
	r.header(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode, Uid: owner, Gid: owner})
}

func (r *rootfs) link(name, target string) {
	r.header(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777})
}

func (r *rootfs) text(name string, mode int64, text string) {
	r.header(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(text))})
	if r.err == nil {
		_, err := io.WriteString(r.tar, text)
		r.fail(err)
	}
}

// file copies a file of this machine.
func (r *rootfs) file(source, name string) {
	if r.have[name] || r.err != nil {
		return
	}
	file, err := os.Open(source)
	if err != nil {
		r.fail(err)
		return
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		r.fail(err)
		return
	}
	r.header(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size()})
	if r.err == nil {
		_, err = io.Copy(r.tar, file)
		r.fail(err)
	}
}

// program copies a program of PATH and the libraries that it is linked with.
func (r *rootfs) program(source, name string) {
	path, err := exec.LookPath(source)
	if err != nil {
		path, err = exec.LookPath("/usr/bin/" + filepath.Base(source))
	}
	r.fail(err)
	r.file(path, name)
	r.libraries(path)
}

func (r *rootfs) libraries(path string) {
	// A static program has none, and ldd says so by failing.
	linked, _ := exec.Command("ldd", path).Output()
	for field := range strings.FieldsSeq(string(linked)) {
		if name, absolute := strings.CutPrefix(field, "/"); absolute {
			r.file(field, name)
		}
	}
}

// unread are directories of the Go toolchain that no build reads.
var unread = []string{"api", "doc", "misc", "src/cmd", "test"}

// goroot copies the Go toolchain, but for what no build reads.
func (r *rootfs) goroot() {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		r.fail(err)
		return
	}
	base := strings.TrimSpace(string(root))
	r.fail(filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(base, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && (slices.Contains(unread, name) || entry.Name() == "testdata"):
			return filepath.SkipDir
		case entry.Type().IsRegular() && !strings.HasSuffix(name, "_test.go"):
			r.file(path, "usr/local/go/"+name)
		}
		return r.err
	}))
}

// gocache builds the program that shares this machine's build cache.
func (r *rootfs) gocache(root string) {
	dir, err := os.MkdirTemp("", "gocache")
	r.fail(err)
	defer func() { _ = os.RemoveAll(dir) }()
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/gocache", "./integration/compose/gocache")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		r.fail(fmt.Errorf("%w: %s", err, out))
	}
	r.file(dir+"/gocache", "usr/local/bin/gocache")
}
