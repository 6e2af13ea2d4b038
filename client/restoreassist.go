package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// assistance does what restic does itself from some version on: before a restore
// it removes what stands in the way (before 0.17), and after it, of everything
// that has changed since the restore began, it removes security.* attributes
// (before 0.18), keeps sparse files sparse (before 0.15, and after a restore that
// was interrupted) and counts (before 0.16).
type assistance struct {
	Places []place   `json:"places"`
	Remove []string  `json:"remove"` // the paths in the snapshot that stand in the way
	Finish bool      `json:"finish"`
	Sparse bool      `json:"sparse"`
	Since  time.Time `json:"since"`

	clears   bool
	finishes bool
	volumes  []volume // whose directories Podman knows
	unshared bool     // what is restored belongs to users of Podman's user namespace
}

// place is where a directory of the snapshot is restored to.
type place struct {
	Path string `json:"path"` // "state", "volumes/data"
	Dir  string `json:"dir"`
}

// assisted is what came of it.
type assisted struct {
	Files    uint64   `json:"files"`
	Bytes    uint64   `json:"bytes"`
	Warnings []string `json:"warnings"`
}

func planAssistance(f restoreFacts, volumes []volume) assistance {
	native, version := f.base.Runtime == restic.Native, f.base.Version
	plan := assistance{
		Sparse: !version.Has(restic.SparseVersion),
		// Which links a pattern means only restic knows.
		clears:   !version.Has(restic.OverwriteVersion) && len(f.opts.include) == 0,
		finishes: !version.Has(restic.ExcludeXattrVersion),
		unshared: !native && !f.rootfull,
	}
	root := cmp.Or(f.opts.target, f.base.Dir)
	switch {
	case f.opts.target != "" || native:
		plan.Places = []place{{"state", filepath.Join(root, "state")}, {"volumes", filepath.Join(root, "volumes")}}
	default:
		plan.Places = []place{{"state", f.module.stateDir}}
		plan.volumes = volumes
	}
	return plan
}

// clear removes links, pipes and devices that the snapshot holds too. Where one
// exists restic before 0.17 fails, and of hard links it silently loses all but
// one.
func (a *assistance) clear(ctx context.Context, base restic.Invocation, source restoreSource, only []string) error {
	if !a.clears {
		return nil
	}
	files, err := filesIn(ctx, base, source, only)
	if err != nil || len(files) == 0 {
		return err
	}
	before := *a
	before.Remove = files
	_, err = before.run(ctx)
	return err
}

// filesIn are the paths of all that is no directory in the snapshot, as far as it
// is below one of the paths in only, or of everything where there are none.
func filesIn(ctx context.Context, base restic.Invocation, source restoreSource, only []string) ([]string, error) {
	var paths []string
	out := restic.NewLines(func(line []byte) {
		var node struct {
			Kind string `json:"struct_type"`
			Type string `json:"type"`
			Path string `json:"path"`
		}
		if json.Unmarshal(line, &node) != nil || node.Kind != "node" || node.Type == "dir" {
			return
		}
		relative := strings.TrimPrefix(strings.TrimPrefix(node.Path, source.folder), "/")
		wanted := func(p string) bool { return relative == p || strings.HasPrefix(relative, p+"/") }
		if len(only) == 0 || slices.ContainsFunc(only, wanted) {
			paths = append(paths, relative)
		}
	})
	err := base.With("ls", "--json", "--no-lock", source.id).Run(ctx, restic.Streams{Stdout: out})
	out.Flush()
	return paths, err
}

// finish completes a restore that began at started.
func (a *assistance) finish(ctx context.Context, started time.Time) (assisted, error) {
	if !a.finishes {
		return assisted{}, nil
	}
	after := *a
	after.Remove, after.Finish, after.Since = nil, true, started
	return after.run(ctx)
}

// run does the work, in Podman's user namespace where the files are foreign
// outside of it.
func (a *assistance) run(ctx context.Context) (assisted, error) {
	if err := a.findVolumes(ctx); err != nil {
		return assisted{}, err
	}
	if a.unshared {
		return a.runUnshared(ctx)
	}
	return a.assist()
}

// findVolumes adds the directories of those volumes that exist.
func (a *assistance) findVolumes(ctx context.Context) error {
	if len(a.volumes) == 0 {
		return nil
	}
	existing, err := listPodmanVolumes(ctx)
	if err != nil {
		return err
	}
	for _, v := range a.volumes {
		if !slices.Contains(existing, v.podman) {
			continue
		}
		output, err := exec.CommandContext(ctx, "podman", "volume", "inspect", "--format={{.Mountpoint}}", "--", v.podman).Output()
		if err != nil {
			return fmt.Errorf("look up the directory of volume %s: podman: %w", v.podman, err)
		}
		a.Places = append(a.Places, place{"volumes/" + v.name, strings.TrimSpace(string(output))})
	}
	return nil
}

// assistFlag makes restore-module do nothing but assist, with an assistance on
// stdin and what came of it on stdout.
const assistFlag = "assist"

func (a *assistance) runUnshared(ctx context.Context) (assisted, error) {
	var done assisted
	self, err := os.Executable()
	if err != nil {
		return done, err
	}
	input, err := json.Marshal(a)
	if err != nil {
		return done, err
	}
	args := []string{"unshare", self}
	if filepath.Base(self) != "restore-module" {
		args = append(args, "restore-module")
	}
	cmd := exec.CommandContext(ctx, "podman", append(args, "--"+assistFlag)...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &said
	output, err := cmd.Output()
	if err != nil {
		return done, fmt.Errorf("podman unshare: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	if err := json.Unmarshal(output, &done); err != nil {
		return done, fmt.Errorf("podman unshare: %w", err)
	}
	return done, nil
}

func runAssist(sys *system) error {
	var a assistance
	if err := json.NewDecoder(sys.stdin).Decode(&a); err != nil {
		return withCode(exitUsage, err)
	}
	done, err := a.assist()
	if err != nil {
		return err
	}
	return json.NewEncoder(sys.stdout).Encode(done)
}

// assist does the work where the files are ours.
func (a *assistance) assist() (assisted, error) {
	if err := a.removeAll(); err != nil || !a.Finish {
		return assisted{}, err
	}
	return a.walk()
}

// removeAll looks at everything before it removes the first: the last one of some
// hard links would look like an ordinary file.
func (a *assistance) removeAll() error {
	for _, p := range a.Places {
		root, err := os.OpenRoot(p.Dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = removeIn(root, p.Path, a.Remove)
		if err := errors.Join(err, root.Close()); err != nil {
			return err
		}
	}
	return nil
}

// removeIn removes what restic will make anew of the snapshot's paths below
// prefix. It follows no link out of root.
func removeIn(root *os.Root, prefix string, paths []string) error {
	var doomed []string
	for _, p := range paths {
		relative, below := strings.CutPrefix(p, prefix+"/")
		if !below {
			continue
		}
		info, err := root.Lstat(relative)
		if err == nil && !info.IsDir() && (!info.Mode().IsRegular() || hardLinked(info)) {
			doomed = append(doomed, relative)
		}
	}
	for _, p := range doomed {
		if err := root.Remove(p); err != nil {
			return err
		}
	}
	return nil
}

func hardLinked(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink > 1
}

// clockTolerance is more than a file system's clock may be behind ours.
const clockTolerance = time.Second

// walk finishes everything that was restored.
func (a *assistance) walk() (assisted, error) {
	var done assisted
	since := a.Since.Add(-clockTolerance)
	for _, p := range a.Places {
		err := filepath.WalkDir(p.Dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if restored(info, since) {
				a.finishOne(name, info, &done)
			}
			// What we wrote ourselves just before is finished for safety, and is
			// not restored.
			if restored(info, a.Since) {
				done.count(info)
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

func (d *assisted) count(info fs.FileInfo) {
	d.Files++
	if info.Mode().IsRegular() {
		d.Bytes += uint64(info.Size())
	}
}

func (a *assistance) finishOne(name string, info fs.FileInfo, done *assisted) {
	if info.Mode().IsRegular() && a.Sparse {
		if err := digHoles(name, info); err != nil {
			done.Warnings = append(done.Warnings, fmt.Sprintf("%s cannot be made sparse: %v", name, err))
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
