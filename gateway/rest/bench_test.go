package rest_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// BenchmarkPost is an upload of 16 MiB into a store that throws it away: what
// the protocol itself costs.
func BenchmarkPost(b *testing.B) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	buf := make([]byte, 256<<10)
	store := &hooked{Store: storetest.NewMem(), put: func(_ context.Context, _ string, size int64, body io.Reader) error {
		for {
			n, err := body.Read(buf)
			size -= int64(n)
			switch {
			case err == io.EOF && size == 0:
				return nil
			case err != nil:
				return err
			}
		}
	}}
	h := rest.NewHandler()
	target := rest.Target{Store: store, Destination: "d", Repo: repo, Type: object.Data, Name: nameOf(string(content))}
	body := bytes.NewReader(content)
	r := httptest.NewRequestWithContext(b.Context(), "POST", "/", struct{ io.Reader }{body})
	r.ContentLength = int64(len(content))
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(content)
		if err := h.Serve(discard{}, r, asked(r, target)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkList lists 100,000 objects from a store that makes them up.
func BenchmarkList(b *testing.B) {
	for _, bm := range []struct{ name, accept, encoding string }{
		{"v2", rest.MediaTypeV2, "identity"},
		{"v2 gzip", rest.MediaTypeV2, "gzip"},
		{"v1", rest.MediaTypeV1, "identity"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			infos := make([]*fileInfo, 100_000)
			for i := range infos {
				infos[i] = &fileInfo{name: nameOf(strconv.Itoa(i)), size: 16<<20 + int64(i)}
			}
			store := &hooked{Store: storetest.NewMem(), list: listed(infos)}
			h := rest.NewHandler()
			r := httptest.NewRequestWithContext(b.Context(), "GET", "/", nil)
			r.Header.Set("Accept", bm.accept)
			r.Header.Set("Accept-Encoding", bm.encoding)
			w := &counter{}
			b.ReportAllocs()
			for b.Loop() {
				w.n = 0
				if err := h.Serve(w, r, asked(r, rest.Target{Store: store, Repo: repo, Type: object.Data})); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(w.n), "sent-B/op")
		})
	}
}

// counter is a ResponseWriter that counts what it throws away.
type counter struct {
	discard
	n int
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}

// BenchmarkRange loads 64 KiB out of a file of 16 MiB over a real connection;
// the client's part is in the figure.
func BenchmarkRange(b *testing.B) {
	const size = 16 << 20
	name := filepath.Join(b.TempDir(), "pack")
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		b.Fatal(err)
	}
	store := &hooked{Store: storetest.NewMem(), open: func(_ context.Context, _ string, off, _ int64) (io.ReadCloser, int64, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, 0, err
		}
		_, err = f.Seek(off, io.SeekStart)
		return f, size, err
	}}
	h := rest.NewHandler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.Serve(w, r, asked(r, rest.Target{Store: store, Repo: repo, Type: object.Config})); err != nil {
			b.Error(err)
		}
	}))
	defer server.Close()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Range", "bytes=1048576-1114111")
	b.SetBytes(64 << 10)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := server.Client().Do(req)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil || n != 64<<10 {
			b.Fatal(n, err)
		}
	}
}
