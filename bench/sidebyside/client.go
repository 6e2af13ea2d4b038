package main

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
)

// acceptV2 asks for version 2 of the protocol, as restic does.
const acceptV2 = "application/vnd.x.restic.rest.v2"

// A client speaks the restic REST protocol to one repository.
type client struct {
	http     *http.Client
	base     string // URL of the repository, with a slash at its end
	user     string
	password string
}

func newClient(base, user, password string, conns int) *client {
	return &client{
		http: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: conns,
			DisableCompression:  true, // the list case that wants it asks itself
			WriteBufferSize:     256 * kiB,
			ReadBufferSize:      256 * kiB,
		}},
		base:     base,
		user:     user,
		password: password,
	}
}

// newTrustingClient is a client of a server with that certificate.
func newTrustingClient(base, certificate string) (*client, error) {
	text, err := os.ReadFile(certificate)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &client{base: base, http: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}}, nil
}

// in is the same client, of another repository of the server.
func (c *client) in(repo string) *client {
	other := *c
	other.base = strings.TrimSuffix(c.base, repository+"/") + repo + "/"
	return &other
}

func (c *client) close() { c.http.CloseIdleConnections() }

// do sends a request and returns the response if its status is the one wanted.
func (c *client) do(req *http.Request, want int) (*http.Response, error) {
	if c.user != "" {
		req.SetBasicAuth(c.user, c.password)
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

func (c *client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, method, c.base+path, body)
}

// ready asks a server whether it is.
func (c *client) ready(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	return c.drain(req, http.StatusOK, -1)
}

// create makes the repository.
func (c *client) create(ctx context.Context) error {
	req, err := c.request(ctx, http.MethodPost, "?create=true", nil)
	if err != nil {
		return err
	}
	return c.drain(req, http.StatusOK, -1)
}

// drain sends a request and reads the body, which must be of that length.
func (c *client) drain(req *http.Request, want int, length int64) error {
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

// put stores a blob in a directory of the repository, such as "data/".
func (c *client) put(ctx context.Context, dir string, b *blob) error {
	req, err := c.request(ctx, http.MethodPost, dir+b.name, io.NopCloser(b.reader()))
	if err != nil {
		return err
	}
	req.ContentLength = b.size()
	req.Header.Set("Content-Type", "application/octet-stream")
	return c.drain(req, http.StatusOK, -1)
}

// putConfig makes the repository one that exists.
func (c *client) putConfig(ctx context.Context) error {
	req, err := c.request(ctx, http.MethodPost, "config", bytes.NewReader([]byte(aConfig)))
	if err != nil {
		return err
	}
	return c.drain(req, http.StatusOK, -1)
}

// get reads length bytes from an offset, with the Range header that restic
// always sends.
func (c *client) get(ctx context.Context, b *blob, offset, length int64) error {
	req, err := c.request(ctx, http.MethodGet, "data/"+b.name, nil)
	if err != nil {
		return err
	}
	if offset == 0 && length == b.size() {
		req.Header.Set("Range", "bytes=0-")
	} else {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	}
	return c.drain(req, http.StatusPartialContent, length)
}

func (c *client) head(ctx context.Context, b *blob) error {
	req, err := c.request(ctx, http.MethodHead, "data/"+b.name, nil)
	if err != nil {
		return err
	}
	resp, err := c.do(req, http.StatusOK)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.ContentLength != b.size() {
		return fmt.Errorf("HEAD %s: length %d, want %d", b.name, resp.ContentLength, b.size())
	}
	return nil
}

// lockCycle stores a lock, reads it and removes it.
func (c *client) lockCycle(ctx context.Context, lock *blob) error {
	if err := c.put(ctx, "locks/", lock); err != nil {
		return err
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		req, err := c.request(ctx, method, "locks/"+lock.name, nil)
		if err != nil {
			return err
		}
		if err := c.drain(req, http.StatusOK, -1); err != nil {
			return err
		}
	}
	return nil
}

// list lists a directory, such as "data/", and returns how many objects it has.
// Counting braces leaves the CPU to the server: names and sizes hold none.
func (c *client) list(ctx context.Context, dir string, zip bool) (int, error) {
	req, err := c.request(ctx, http.MethodGet, dir, nil)
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
	buf := make([]byte, 64*kiB)
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
