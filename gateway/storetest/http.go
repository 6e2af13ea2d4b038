package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// mediaTypeV2 is the media type of version 2 of the restic REST protocol. restic compares
// it byte by byte.
const mediaTypeV2 = "application/vnd.x.restic.rest.v2"

// HTTP returns a Store that speaks version 2 of the restic REST protocol with the server at
// baseURL. It sends the headers and accepts the responses of restic 0.18, and never
// retries. baseURL is that of a destination, so that the Store's names, "<app
// type>/<UUID>/data/ab/abcd…", follow it; the shard is dropped, since URLs of the protocol
// have none.
//
// Run it with [OverHTTP].
func HTTP(baseURL, user, password string) storage.Store {
	return &httpStore{
		base:     strings.TrimSuffix(baseURL, "/"),
		user:     user,
		password: password,
		client:   &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()},
	}
}

type httpStore struct {
	base, user, password string
	client               *http.Client
}

var _ storage.Creator = (*httpStore)(nil)

// StatusError is a response that restic treats as a failure. It wraps the error that the
// status stands for, if there is one.
type StatusError struct {
	Method, Path string
	Code         int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: unexpected status %d", e.Method, e.Path, e.Code)
}

// Unwrap returns the meaning of the status in the protocol.
func (e *StatusError) Unwrap() error {
	switch e.Code {
	case http.StatusBadRequest:
		return storage.ErrCorrupt
	case http.StatusForbidden:
		return fs.ErrPermission
	case http.StatusNotFound:
		return fs.ErrNotExist
	case http.StatusRequestedRangeNotSatisfiable:
		return storage.ErrRange
	case http.StatusServiceUnavailable:
		return storage.ErrUnavailable
	case http.StatusInsufficientStorage:
		return syscall.ENOSPC
	}
	return nil
}

func (h *httpStore) Create(ctx context.Context, dir string) error {
	req, err := h.request(ctx, http.MethodPost, dir+"/?create=true", nil)
	if err != nil {
		return err
	}
	req.Header.Del("Accept")
	return h.drain(req)
}

func (h *httpStore) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	req, err := h.request(ctx, http.MethodHead, flat(name), nil)
	if err != nil {
		return nil, err
	}
	resp, err := h.do(req, http.StatusOK)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.ContentLength < 0 {
		return nil, fmt.Errorf("HEAD %s: no Content-Length", req.URL.Path)
	}
	return storage.ObjectInfo(path.Base(name), resp.ContentLength, time.Time{}), nil
}

func (h *httpStore) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	req, err := h.request(ctx, http.MethodGet, flat(name), nil)
	if err != nil {
		return nil, 0, err
	}
	rng := fmt.Sprintf("bytes=%d-", off)
	if n >= 0 {
		rng += strconv.FormatInt(off+n-1, 10)
	}
	req.Header.Set("Range", rng)
	resp, err := h.do(req, http.StatusOK, http.StatusPartialContent)
	if resp == nil {
		return nil, 0, err
	}
	size, sizeErr := objectSize(resp)
	if err != nil {
		return nil, size, err
	}
	if err := errors.Join(sizeErr, checkLength(resp, off, n, size)); err != nil {
		resp.Body.Close()
		return nil, 0, fmt.Errorf("GET %s, %s: %w", req.URL.Path, rng, err)
	}
	return resp.Body, size, nil
}

// objectSize returns the size of the whole object from the response to a GET.
func objectSize(resp *http.Response) (int64, error) {
	if resp.StatusCode == http.StatusOK {
		if resp.ContentLength < 0 {
			return 0, errors.New("no Content-Length")
		}
		return resp.ContentLength, nil
	}
	contentRange := resp.Header.Get("Content-Range")
	_, total, _ := strings.Cut(contentRange, "/")
	size, err := strconv.ParseInt(total, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("Content-Range %q: %w", contentRange, err)
	}
	return size, nil
}

// checkLength compares the response with the request, as restic does since 0.17.
func checkLength(resp *http.Response, off, n, size int64) error {
	want := size - off
	if n >= 0 {
		want = min(n, want)
	}
	if resp.ContentLength != want {
		return fmt.Errorf("status %d, Content-Length %d instead of %d", resp.StatusCode, resp.ContentLength, want)
	}
	return nil
}

func (h *httpStore) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	if size == 0 {
		// Beside a body, net/http takes a length of 0 for "unknown".
		n, err := io.Copy(io.Discard, body)
		if err != nil || n != 0 {
			return fmt.Errorf("put %s: body of %d bytes instead of none: %w", name, n, err)
		}
		body = http.NoBody
	} else {
		body = uncancelled{ctx, body}
	}
	req, err := h.request(ctx, http.MethodPost, flat(name), body)
	if err != nil {
		return err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/octet-stream")
	return h.drain(req)
}

// uncancelled is a body that sends nothing once the request is cancelled: otherwise, on a
// busy machine, net/http may have sent all of it before it closes the connection.
type uncancelled struct {
	ctx context.Context
	io.Reader
}

func (u uncancelled) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Reader.Read(p)
}

func (h *httpStore) Remove(ctx context.Context, name string) error {
	req, err := h.request(ctx, http.MethodDelete, flat(name), nil)
	if err != nil {
		return err
	}
	return h.drain(req)
}

func (h *httpStore) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	req, err := h.request(ctx, http.MethodGet, dir+"/", nil)
	if err != nil {
		return err
	}
	resp, err := h.do(req, http.StatusOK)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); ct != mediaTypeV2 {
		return fmt.Errorf("GET %s: restic takes Content-Type %q for version 1", req.URL.Path, ct)
	}
	return decodeList(json.NewDecoder(resp.Body), fn)
}

// decodeList calls fn for each element. A list without its end is an error.
func decodeList(dec *json.Decoder, fn func(fs.FileInfo) error) error {
	if tok, err := dec.Token(); err != nil || tok != json.Delim('[') {
		return fmt.Errorf("list begins with %v: %w", tok, err)
	}
	for dec.More() {
		var entry struct {
			Name string `json:"name"`
			Size int64  `json:"size"`
		}
		if err := dec.Decode(&entry); err != nil {
			return fmt.Errorf("list entry: %w", err)
		}
		if err := fn(storage.ObjectInfo(entry.Name, entry.Size, time.Time{})); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("end of list: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("behind the end of the list: %w", err)
	}
	return nil
}

// request creates a request like restic, with credentials and Accept.
func (h *httpStore) request(ctx context.Context, method, name string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, h.base+"/"+name, body)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(h.user, h.password)
	req.Header.Set("Accept", mediaTypeV2)
	return req, nil
}

// do sends req and accepts the given statuses. Beside a [StatusError] it returns the
// response with a closed body.
func (h *httpStore) do(req *http.Request, success ...int) (*http.Response, error) {
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	if slices.Contains(success, resp.StatusCode) {
		return resp, nil
	}
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection can be reused
	resp.Body.Close()
	return resp, &StatusError{Method: req.Method, Path: req.URL.Path, Code: resp.StatusCode}
}

// drain sends req, for which only 200 is success, and reads the response to its end.
func (h *httpStore) drain(req *http.Request) error {
	resp, err := h.do(req, http.StatusOK)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// flat drops the shard from a name: data/ab/abcd… is data/abcd… in a URL.
func flat(name string) string {
	dir, file := path.Split(name)
	if parent := path.Dir(path.Clean(dir)); path.Base(parent) == "data" {
		return parent + "/" + file
	}
	return name
}
