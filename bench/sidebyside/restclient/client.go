package restclient

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// acceptV2 asks for version 2 of the protocol, as restic does.
const acceptV2 = "application/vnd.x.restic.rest.v2"

// Config is as long as an encrypted one has to be.
const Config = "the config of a repository of the benchmark"

// A Client speaks the restic REST protocol to one repository.
type Client struct {
	http     *http.Client
	Base     string // URL of the repository, with a slash at its end
	User     string
	Password string
}

// New returns a client of the repository at that URL, which keeps so many idle connections.
func New(base, user, password string, conns int) *Client {
	return &Client{
		http: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: conns,
			DisableCompression:  true, // the list case that wants it asks itself
			WriteBufferSize:     256 << 10,
			ReadBufferSize:      256 << 10,
		}},
		Base:     base,
		User:     user,
		Password: password,
	}
}

// NewTrusting returns a client of a server with that certificate.
func NewTrusting(base, certificate string) (*Client, error) {
	text, err := os.ReadFile(certificate)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &Client{Base: base, http: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}}, nil
}

// In is the same client, of another repository of the server.
func (c *Client) In(repo string) *Client {
	parts := strings.Split(c.Base, "/") // the last three are the repository's, and empty
	other := *c
	other.Base = strings.Join(parts[:len(parts)-3], "/") + "/" + repo + "/"
	return &other
}

// Close ends the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// do sends a request and returns the response if its status is the one wanted.
func (c *Client) do(req *http.Request, want int) (*http.Response, error) {
	if c.User != "" {
		req.SetBasicAuth(c.User, c.Password)
	}
	req.Header.Set("Accept", acceptV2)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != want {
		resp.Body.Close()
		return nil, fmt.Errorf("%s %s: status %s, want %d", req.Method, req.URL, resp.Status, want)
	}
	return resp, nil
}

// Request makes a request of a path in the repository.
func (c *Client) Request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, method, c.Base+path, body)
}

// Ready asks a server whether it is.
func (c *Client) Ready(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	return c.Drain(req, http.StatusOK, -1)
}

// Create makes the repository.
func (c *Client) Create(ctx context.Context) error {
	req, err := c.Request(ctx, http.MethodPost, "?create=true", nil)
	if err != nil {
		return err
	}
	return c.Drain(req, http.StatusOK, -1)
}

// Drain sends a request and reads the body, which must be of that length.
func (c *Client) Drain(req *http.Request, want int, length int64) error {
	resp, err := c.do(req, want)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		return err
	}
	if length >= 0 && n != length {
		return fmt.Errorf("%s %s: %d bytes, want %d", req.Method, req.URL, n, length)
	}
	return nil
}

// Put stores a blob in a directory of the repository, such as "data/".
func (c *Client) Put(ctx context.Context, dir string, b *Blob) error {
	req, err := c.Request(ctx, http.MethodPost, dir+b.Name, io.NopCloser(b.reader()))
	if err != nil {
		return err
	}
	req.ContentLength = b.Size()
	req.Header.Set("Content-Type", "application/octet-stream")
	return c.Drain(req, http.StatusOK, -1)
}

// PutConfig makes the repository one that exists.
func (c *Client) PutConfig(ctx context.Context) error {
	req, err := c.Request(ctx, http.MethodPost, "config", bytes.NewReader([]byte(Config)))
	if err != nil {
		return err
	}
	return c.Drain(req, http.StatusOK, -1)
}

// Get reads length bytes from an offset, with the Range header that restic
// always sends.
func (c *Client) Get(ctx context.Context, b *Blob, offset, length int64) error {
	req, err := c.Request(ctx, http.MethodGet, "data/"+b.Name, nil)
	if err != nil {
		return err
	}
	if offset == 0 && length == b.Size() {
		req.Header.Set("Range", "bytes=0-")
	} else {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	}
	return c.Drain(req, http.StatusPartialContent, length)
}

// Head asks how large a blob is, and wants the right answer.
func (c *Client) Head(ctx context.Context, b *Blob) error {
	req, err := c.Request(ctx, http.MethodHead, "data/"+b.Name, nil)
	if err != nil {
		return err
	}
	resp, err := c.do(req, http.StatusOK)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.ContentLength != b.Size() {
		return fmt.Errorf("HEAD %s: length %d, want %d", b.Name, resp.ContentLength, b.Size())
	}
	return nil
}

// LockCycle stores a lock, reads it and removes it.
func (c *Client) LockCycle(ctx context.Context, lock *Blob) error {
	if err := c.Put(ctx, "locks/", lock); err != nil {
		return err
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		req, err := c.Request(ctx, method, "locks/"+lock.Name, nil)
		if err != nil {
			return err
		}
		if err := c.Drain(req, http.StatusOK, -1); err != nil {
			return err
		}
	}
	return nil
}

// List lists a directory, such as "data/", and returns how many objects it has.
// Counting braces leaves the CPU to the server: names and sizes hold none.
func (c *Client) List(ctx context.Context, dir string, zip bool) (int, error) {
	req, err := c.Request(ctx, http.MethodGet, dir, nil)
	if err != nil {
		return 0, err
	}
	if zip {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	resp, err := c.do(req, http.StatusOK)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != acceptV2 {
		return 0, fmt.Errorf("list: content type %q, want %q", got, acceptV2)
	}
	body := io.Reader(resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return 0, err
		}
	}
	return countEntries(body)
}

// countEntries counts the objects of a JSON list that must end as one.
func countEntries(body io.Reader) (int, error) {
	entries, last := 0, byte(0)
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		entries += bytes.Count(buf[:n], []byte{'{'})
		if trimmed := bytes.TrimSpace(buf[:n]); len(trimmed) > 0 {
			last = trimmed[len(trimmed)-1]
		}
		switch {
		case err == io.EOF && last == ']':
			return entries, nil
		case err == io.EOF:
			return entries, errors.New("list: cut before its end")
		case err != nil:
			return entries, fmt.Errorf("list: %w", err)
		}
	}
}

// Remove removes a pack.
func (c *Client) Remove(ctx context.Context, b *Blob) error {
	req, err := c.Request(ctx, http.MethodDelete, "data/"+b.Name, nil)
	if err != nil {
		return err
	}
	return c.Drain(req, http.StatusOK, -1)
}

// FirstByte lists a directory, and returns how long the first byte of it took.
func (c *Client) FirstByte(ctx context.Context, dir string) (time.Duration, error) {
	req, err := c.Request(ctx, http.MethodGet, dir, nil)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	resp, err := c.do(req, http.StatusOK)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
		return 0, err
	}
	took := time.Since(began)
	_, err = countEntries(resp.Body)
	return took, err
}
