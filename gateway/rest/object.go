package rest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"strconv"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/httprange"
)

// mediaTypeObject is the Content-Type of an object's content. Setting it also
// keeps net/http from reading content to guess one.
const mediaTypeObject = "application/octet-stream"

// head answers whether an object is there, and how large it is.
func (h *Handler) head(w http.ResponseWriter, r *http.Request, t *Target) error {
	if err := h.gone(t); err != nil {
		return err
	}
	info, err := t.Store.Stat(r.Context(), t.path())
	if err != nil {
		return h.doubt(t, err)
	}
	if t.Type == object.Snapshots {
		if err := h.setReceipt(r.Context(), w.Header(), t, info); err != nil {
			return err
		}
	}
	setObjectHeader(w.Header(), info.Size())
	w.WriteHeader(http.StatusOK)
	return nil
}

// get answers with an object, or with the one range of it that was asked for.
func (h *Handler) get(w http.ResponseWriter, r *http.Request, t *Target) error {
	rng, err := httprange.Parse(r.Header)
	if err != nil {
		return fmt.Errorf("%w: %w", storage.ErrRange, err)
	}
	if err := h.gone(t); err != nil {
		return err
	}
	off, n, err := h.locate(r, t, rng)
	if err != nil {
		return h.doubt(t, err)
	}
	body, size, err := t.Store.Open(r.Context(), t.path(), off, n)
	if err != nil {
		if errors.Is(err, storage.ErrRange) && size > 0 {
			w.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
		}
		return h.doubt(t, err)
	}
	defer body.Close()

	length := size - off
	if n >= 0 && n < length {
		length = n
	}
	setObjectHeader(w.Header(), length)
	status := http.StatusOK
	// Of an empty object there is no first byte that Content-Range could name.
	if rng.Kind != httprange.Whole && size > 0 {
		w.Header().Set("Content-Range", contentRange(off, length, size))
		status = http.StatusPartialContent
	}
	w.WriteHeader(status)
	// CopyN hands w a LimitedReader: for a file that is what becomes sendfile.
	if _, err := io.CopyN(w, body, length); err != nil {
		return fmt.Errorf("send %s: %w", t.path(), err)
	}
	return nil
}

// locate turns a range into what Store.Open takes. Only a suffix, which restic
// never asks for, costs a question for the size.
func (h *Handler) locate(r *http.Request, t *Target, rng httprange.Range) (off, n int64, err error) {
	switch rng.Kind {
	case httprange.Whole:
		return 0, -1, nil
	case httprange.FromStart:
		return rng.Off, rng.N, nil
	}
	info, err := t.Store.Stat(r.Context(), t.path())
	if err != nil {
		return 0, 0, err
	}
	if rng.N == 0 && info.Size() > 0 {
		// The last no bytes: a range that no object satisfies.
		return math.MaxInt64, -1, nil
	}
	return max(0, info.Size()-rng.N), -1, nil
}

// gone refuses at once what was deleted here a moment ago: the remote may still
// have it.
func (h *Handler) gone(t *Target) error {
	if t.Type != object.Locks {
		return nil
	}
	if l, known := h.recent.last(t.repoKey(), t.Name); known && l.removed {
		return fmt.Errorf("lock was deleted a moment ago: %w", fs.ErrNotExist)
	}
	return nil
}

// doubt keeps an absence from passing for a proven one where a lock was written
// here a moment ago, and not deleted: either the remote lags behind or somebody else
// removed it. The error then no longer wraps fs.ErrNotExist.
func (h *Handler) doubt(t *Target, err error) error {
	if t.Type != object.Locks || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if l, known := h.recent.last(t.repoKey(), t.Name); known && !l.absent() {
		return unproven(err)
	}
	return err
}

// unproven is the absence of a lock that must be there.
func unproven(err error) error {
	return fmt.Errorf("%w: lock was written a moment ago and is not there: %s", storage.ErrUnavailable, err.Error())
}

// What all answers with an object say, by their canonical names: shared, since
// net/http copies a header before it sends it.
var (
	objectType   = []string{mediaTypeObject}
	acceptRanges = []string{"bytes"}
)

func setObjectHeader(header http.Header, length int64) {
	header["Content-Type"] = objectType
	header["Accept-Ranges"] = acceptRanges
	header.Set("Content-Length", strconv.FormatInt(length, 10))
}

func contentRange(off, length, size int64) string {
	b := make([]byte, 0, 64)
	b = append(b, "bytes "...)
	b = strconv.AppendInt(b, off, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, off+length-1, 10)
	b = append(b, '/')
	b = strconv.AppendInt(b, size, 10)
	return string(b)
}
