package dav

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/httprange"
)

// get answers GET and HEAD: with a file, with a range of it, or with the names in a
// directory.
func (h *Handler) get(w http.ResponseWriter, r *http.Request, t *Target) error {
	info, err := t.look(r.Context())
	if err != nil {
		return err
	}
	if info.IsDir() {
		return h.index(w, r, t)
	}
	for range openTries {
		if err = h.getFile(w, r, t, info); !errors.Is(err, errReplaced) {
			return err
		}
		if info, err = t.Store.Stat(r.Context(), t.Name); err != nil {
			return err
		}
	}
	return err
}

// openTries bounds how often a file is opened that was replaced after its Stat.
const openTries = 3

var errReplaced = errors.New("the file is being replaced")

// getFile answers with the file that info describes, or returns errReplaced.
func (h *Handler) getFile(w http.ResponseWriter, r *http.Request, t *Target, info fs.FileInfo) error {
	header := w.Header()
	describeFile(header, info)
	unmodified, err := check(r.Header, info, true)
	if err != nil {
		return err
	}
	if unmodified {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	status, off, n := http.StatusOK, int64(0), info.Size()
	if r.Method == http.MethodGet && sameVersion(r.Header, info) {
		rng, err := httprange.Parse(r.Header)
		if err != nil {
			return fmt.Errorf("%w: %w", storage.ErrRange, err)
		}
		var ok bool
		if off, n, ok = rng.In(info.Size()); !ok {
			header.Set("Content-Range", "bytes */"+strconv.FormatInt(info.Size(), 10))
			return fmt.Errorf("%s of %d bytes: %w", t.Name, info.Size(), storage.ErrRange)
		}
		// An empty file has no first byte for Content-Range.
		if rng.Kind != httprange.Whole && n > 0 {
			status = http.StatusPartialContent
			header.Set("Content-Range", httprange.Content(off, n, info.Size()))
		}
	}
	header.Set("Content-Length", strconv.FormatInt(n, 10))
	if r.Method == http.MethodHead {
		w.WriteHeader(status)
		return nil
	}
	body, err := open(r.Context(), t, info, off, n)
	if err != nil {
		header.Del("Content-Range")
		return err
	}
	defer body.Close()
	w.WriteHeader(status)
	// CopyN passes a LimitedReader to w, which enables sendfile.
	if _, err := io.CopyN(w, body, n); err != nil {
		return fmt.Errorf("send %s: %w", t.Name, err)
	}
	return nil
}

// open opens the file that info describes, but no file that replaced it.
func open(ctx context.Context, t *Target, info fs.FileInfo, off, n int64) (io.ReadCloser, error) {
	body, size, err := t.Store.Open(ctx, t.Name, off, n)
	if err != nil {
		if errors.Is(err, storage.ErrRange) {
			return nil, fmt.Errorf("open %s: %w", t.Name, errReplaced)
		}
		return nil, err
	}
	now := info
	if file, ok := body.(fs.File); ok {
		if now, err = file.Stat(); err != nil {
			body.Close()
			return nil, err
		}
	}
	if size != info.Size() || etag(now) != etag(info) {
		body.Close()
		return nil, fmt.Errorf("open %s: %w", t.Name, errReplaced)
	}
	return body, nil
}

func describeFile(header http.Header, info fs.FileInfo) {
	header.Set("Content-Type", contentType(info.Name()))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Accept-Ranges", "bytes")
	if tag := etag(info); tag != "" {
		header.Set("Etag", tag)
		header.Set("Last-Modified", info.ModTime().UTC().Format(http.TimeFormat))
	}
}

// index answers GET of a directory with its names, one per line, URL-encoded; a slash
// follows the names of directories.
func (h *Handler) index(w http.ResponseWriter, r *http.Request, t *Target) error {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-cache")
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	out := bufio.NewWriterSize(w, chunk)
	var line []byte
	found := false
	err := t.Store.ReadDir(r.Context(), t.Name, func(info fs.FileInfo) error {
		found = true
		if info.Name() == "." {
			return nil
		}
		line = appendPath(line[:0], info.Name())
		if info.IsDir() {
			line = append(line, '/')
		}
		_, err := out.Write(append(line, '\n'))
		return err
	})
	if err != nil {
		if found {
			err = brokenOff(t.Name, err)
		}
		return err
	}
	return out.Flush()
}
