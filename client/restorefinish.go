package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// finish does, after a restore, what an older restic could not do within it:
// leave out security.* attributes (before 0.18), keep sparse files sparse (before
// 0.15) and count (before 0.16). It looks at everything that has changed since the
// restore began.
type finish struct {
	Dirs   []string  `json:"dirs"`
	Sparse bool      `json:"sparse"`
	Since  time.Time `json:"since"`

	needed   bool
	volumes  []string // Podman's, whose directories are looked up
	unshared bool     // what was restored belongs to users of Podman's user namespace
}

// finished is what finish found.
type finished struct {
	Files    uint64   `json:"files"`
	Bytes    uint64   `json:"bytes"`
	Warnings []string `json:"warnings"`
}

func planFinish(f restoreFacts, volumes []volume) finish {
	native := f.base.Runtime == restic.Native
	plan := finish{
		Sparse:   !f.base.Version.Has(restic.SparseVersion),
		needed:   !f.base.Version.Has(restic.ExcludeXattrVersion),
		unshared: !native && !f.rootfull,
	}
	switch {
	case f.opts.target != "":
		plan.Dirs = []string{f.opts.target}
	case native:
		plan.Dirs = []string{filepath.Join(f.base.Dir, "state"), filepath.Join(f.base.Dir, "volumes")}
	default:
		plan.Dirs = []string{f.module.stateDir}
		for _, v := range volumes {
			plan.volumes = append(plan.volumes, v.podman)
		}
	}
	return plan
}

// run does the work, in Podman's user namespace where the files are foreign
// outside of it.
func (f finish) run(ctx context.Context) (finished, error) {
	if !f.needed {
		return finished{}, nil
	}
	if len(f.volumes) > 0 {
		dirs, err := volumeDirs(ctx, f.volumes)
		if err != nil {
			return finished{}, err
		}
		f.Dirs = append(f.Dirs, dirs...)
	}
	if f.unshared {
		return f.runUnshared(ctx)
	}
	return f.walk()
}

func volumeDirs(ctx context.Context, volumes []string) ([]string, error) {
	args := append([]string{"volume", "inspect", "--format={{.Mountpoint}}", "--"}, volumes...)
	output, err := exec.CommandContext(ctx, "podman", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("look up the volumes' directories: podman: %w", err)
	}
	return strings.Fields(string(output)), nil
}

// finishFlag makes restore-module do nothing but finish.walk, with a finish on
// stdin and what it found on stdout.
const finishFlag = "finish"

func (f finish) runUnshared(ctx context.Context) (finished, error) {
	var done finished
	self, err := os.Executable()
	if err != nil {
		return done, err
	}
	input, err := json.Marshal(f)
	if err != nil {
		return done, err
	}
	args := []string{"unshare", self}
	if filepath.Base(self) != "restore-module" {
		args = append(args, "restore-module")
	}
	cmd := exec.CommandContext(ctx, "podman", append(args, "--"+finishFlag)...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &said
	output, err := cmd.Output()
	if err != nil {
		return done, fmt.Errorf("podman unshare: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return done, json.Unmarshal(output, &done)
}

func runFinish(sys *system) error {
	var f finish
	if err := json.NewDecoder(sys.stdin).Decode(&f); err != nil {
		return withCode(exitUsage, err)
	}
	done, err := f.walk()
	if err != nil {
		return err
	}
	return json.NewEncoder(sys.stdout).Encode(done)
}

// clockTolerance is more than a file system's clock may be behind ours.
const clockTolerance = time.Second

// walk finishes everything below the directories that was restored.
func (f finish) walk() (finished, error) {
	var done finished
	since := f.Since.Add(-clockTolerance)
	for _, dir := range f.Dirs {
		err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if restored(info, since) {
				f.one(name, info, &done)
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return done, err
		}
	}
	return done, nil
}

// restored tells by the time of the inode's last change, which no restore of
// times can set back.
func restored(info fs.FileInfo, since time.Time) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && !time.Unix(stat.Ctim.Unix()).Before(since)
}

func (f finish) one(name string, info fs.FileInfo, done *finished) {
	done.Files++
	if info.Mode().IsRegular() {
		done.Bytes += uint64(info.Size())
		if f.Sparse {
			if err := digHoles(name, info); err != nil {
				done.Warnings = append(done.Warnings, fmt.Sprintf("%s cannot be made sparse: %v", name, err))
			}
		}
	}
	if err := dropSecurityAttributes(name); err != nil {
		done.Warnings = append(done.Warnings, fmt.Sprintf("%s keeps its security attributes: %v", name, err))
	}
}

// dropSecurityAttributes removes security.* from a file, such as its
// capabilities. The label of SELinux stays: each file has one, given by the
// system.
func dropSecurityAttributes(name string) error {
	size, err := unix.Llistxattr(name, nil)
	if err != nil || size == 0 {
		return ignoreUnsupported(err)
	}
	list := make([]byte, size)
	if size, err = unix.Llistxattr(name, list); err != nil {
		return ignoreUnsupported(err)
	}
	var errs []error
	for attribute := range strings.SplitSeq(string(list[:size]), "\x00") {
		if strings.HasPrefix(attribute, "security.") && attribute != "security.selinux" {
			errs = append(errs, unix.Lremovexattr(name, attribute))
		}
	}
	return errors.Join(errs...)
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

// holeSize is the length of a run of zeros that is worth a hole.
const holeSize = 64 << 10

// digHoles frees the blocks of a file that hold nothing but zeros, and leaves its
// times as they were.
func digHoles(name string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Size() < holeSize || stat.Blocks*512 < holeSize {
		return nil
	}
	file, err := os.OpenFile(name, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	dug, err := digHolesIn(file)
	if err != nil || !dug {
		return ignoreUnsupported(err)
	}
	return os.Chtimes(name, time.Unix(stat.Atim.Unix()), info.ModTime())
}

func digHolesIn(file *os.File) (dug bool, err error) {
	var zeros, block [holeSize]byte
	for offset := int64(0); ; offset += holeSize {
		n, err := io.ReadFull(file, block[:])
		if n == holeSize && block == zeros {
			const mode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
			if err := unix.Fallocate(int(file.Fd()), mode, offset, holeSize); err != nil {
				return dug, err
			}
			dug = true
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return dug, nil
		case err != nil:
			return dug, err
		}
	}
}
