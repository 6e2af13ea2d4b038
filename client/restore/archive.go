package restore

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/snapshot"
)

// The forms of an archive.
const (
	archiveTar = "tar"
	archiveZip = "zip"
)

// restoreArchive writes the selected part of a snapshot to stdout as an archive, without
// using the disk. An archive that breaks off has no end marker, and the exit status reports
// the error.
func restoreArchive(ctx context.Context, sys *host.System, gather func() (restoreFacts, error), opts *restoreOptions, record *run.Record) error {
	facts, err := gather()
	record.Repository = facts.base.Repository.URL
	if err != nil {
		return err
	}
	var out archive = &tarArchive{tar.NewWriter(sys.Stdout)}
	if opts.archive == archiveZip {
		out = &zipArchive{zip.NewWriter(sys.Stdout)}
	}
	a := archiving{sys: sys, base: facts.base, source: facts.snapshot, out: out}
	paths := withoutNested(opts.paths)
	if len(paths) == 0 {
		paths = []string{"state", "volumes"}
	}
	started := time.Now()
	for _, p := range paths {
		if err := a.add(ctx, p, len(opts.paths) > 0); err != nil {
			return run.ResticError(facts.base.Repository, err)
		}
	}
	if err := out.finish(); err != nil {
		return err
	}
	record.Snapshot, record.Files, record.Bytes = facts.snapshot.id, a.files, a.bytes
	sys.Notef("wrote %d files and directories, %s, in %v from snapshot %s of %s", a.files, host.FormatBytes(a.bytes),
		time.Since(started).Round(time.Second), facts.snapshot.short(), facts.snapshot.time.Local().Format("2006-01-02 15:04:05 -07:00"))
	return nil
}

// withoutNested drops paths below other paths of the list.
func withoutNested(paths []string) []string {
	var kept []string
	for i, p := range paths {
		nested := false
		for j, other := range paths {
			nested = nested || strings.HasPrefix(p, other+"/") || p == other && j < i
		}
		if !nested {
			kept = append(kept, p)
		}
	}
	return kept
}

// archiving writes parts of one snapshot into one archive.
type archiving struct {
	sys    *host.System
	base   restic.Invocation
	source restoreSource
	out    archive

	files, bytes uint64
}

// archive receives the restored files.
type archive interface {
	add(header *tar.Header, content io.Reader) error
	finish() error
}

// add adds a file, or a directory with everything below it. Paths with must were checked
// before.
func (a *archiving) add(ctx context.Context, p string, must bool) error {
	node, err := a.node(ctx, p)
	if errors.Is(err, fs.ErrNotExist) && !must {
		return nil
	}
	if err != nil {
		return err
	}
	full := path.Join("/", a.source.folder, p)
	if node.Type == "file" && !lossy(full) {
		// Of a file, restic dumps only the content.
		return a.dump(ctx, full, false, func(r io.Reader) error { return a.write(headerOf(p, node), r) })
	}
	from := full
	if node.IsDir() {
		if err := a.write(headerOf(p, node), nil); err != nil {
			return err
		}
	} else {
		from = path.Dir(full) // restic cannot dump a link by itself
	}
	for lossy(from) {
		from = path.Dir(from) // restic needs the real name, which is unknown
	}
	return a.dump(ctx, from, true, func(r io.Reader) error { return a.copy(tar.NewReader(r), p, !node.IsDir()) })
}

// lossy reports whether a path may differ from the one that restic has in the snapshot.
func lossy(name string) bool { return strings.ContainsRune(name, utf8.RuneError) }

// node describes a path of the snapshot.
func (a *archiving) node(ctx context.Context, p string) (found snapshot.Node, err error) {
	full := path.Join("/", a.source.folder, p)
	err = fs.ErrNotExist
	lines := restic.NewLines(func(line []byte) {
		if n, ok := snapshot.ParseNode(line); ok && n.Path == full {
			found, err = n, nil
		}
	})
	failed := a.base.With("ls", "--json", "--no-lock", a.source.id, path.Dir(full)).Run(ctx, restic.Streams{Stdout: lines})
	lines.Flush()
	if failed != nil {
		return found, failed
	}
	return found, err
}

// dump lets restic write a part of the snapshot, which read consumes.
func (a *archiving) dump(ctx context.Context, name string, folder bool, read func(io.Reader) error) error {
	args := []string{"dump", "--no-lock", a.source.id, name}
	if folder {
		args = []string{"dump", "--no-lock", "--archive=tar", a.source.id, name}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	from, to := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := read(from)
		if err == nil {
			_, err = io.Copy(io.Discard, from) // the end of an archive
		}
		if err != nil {
			stop(err)
		}
		_ = from.CloseWithError(err)
		done <- err
	}()
	err := a.base.With(args...).Run(ctx, restic.Streams{Stdout: to})
	_ = to.CloseWithError(err)
	return errors.Join(err, <-done)
}

// copy copies from an archive, whose names are paths of the snapshot, everything below a
// path, or the path itself.
func (a *archiving) copy(in *tar.Reader, p string, itself bool) error {
	folder := strings.TrimPrefix(path.Join("/", a.source.folder)+"/", "/")
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		header.Name = strings.TrimPrefix(strings.TrimPrefix(header.Name, "/"), folder)
		// Use the name as restic lists it, which is what was requested.
		listed := strings.TrimSuffix(asListed(header.Name), "/")
		if itself != (listed == p) || !itself && !strings.HasPrefix(listed, p+"/") {
			continue
		}
		if err := a.write(header, in); err != nil {
			return err
		}
	}
}

// asListed returns a name as restic lists it, with each byte that is not UTF-8 replaced.
func asListed(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	var text strings.Builder
	for _, r := range name {
		text.WriteRune(r)
	}
	return text.String()
}

func (a *archiving) write(header *tar.Header, content io.Reader) error {
	a.files++
	if header.Typeflag == tar.TypeReg {
		a.bytes += uint64(header.Size) //nolint:gosec // a file has no negative size
	}
	if err := a.out.add(header, content); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	return nil
}

// headerOf returns the header for a file or a directory that restic listed.
func headerOf(p string, n snapshot.Node) *tar.Header {
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: p, Size: int64(n.Size), Mode: int64(n.Mode.Perm()), //nolint:gosec // no file system holds more
		Uid: int(n.UID), Gid: int(n.GID), ModTime: n.MTime, Format: tar.FormatPAX,
	}
	if n.IsDir() {
		header.Typeflag, header.Name, header.Size = tar.TypeDir, p+"/", 0
	}
	return header
}

type tarArchive struct{ *tar.Writer }

func (t *tarArchive) add(header *tar.Header, content io.Reader) error {
	header.Format = tar.FormatPAX
	if err := t.WriteHeader(header); err != nil {
		return err
	}
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	_, err := io.Copy(t.Writer, content)
	return err
}

func (t *tarArchive) finish() error { return t.Close() }

type zipArchive struct{ *zip.Writer }

func (z *zipArchive) add(header *tar.Header, content io.Reader) error {
	info, err := zip.FileInfoHeader(header.FileInfo())
	if err != nil {
		return err
	}
	info.Name, info.Method = header.Name, zip.Deflate
	switch header.Typeflag {
	case tar.TypeReg:
	case tar.TypeDir:
		info.Method = zip.Store
	case tar.TypeSymlink:
		content, info.Method = strings.NewReader(header.Linkname), zip.Store
	default:
		return nil // the format has no pipes and devices
	}
	w, err := z.CreateHeader(info)
	if err != nil || header.Typeflag == tar.TypeDir {
		return err
	}
	_, err = io.Copy(w, content)
	return err
}

func (z *zipArchive) finish() error { return z.Close() }

// checkArchive refuses options that cannot be combined with an archive.
func (o *restoreOptions) checkArchive() error {
	switch {
	case o.archive == "":
		return nil
	case o.archive != archiveTar && o.archive != archiveZip:
		return exit.Failf(exit.Usage, "--archive %q is neither %s nor %s", o.archive, archiveTar, archiveZip)
	case o.target != "" || o.verify || len(o.include) > 0:
		return exit.Failf(exit.Usage, "--archive writes to stdout, what --path names: --target, --include and --verify have no meaning with it")
	}
	return nil
}
