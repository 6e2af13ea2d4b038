package far

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// forwarder makes one request of S3 of each of restic's, and verifies nothing.
type forwarder struct {
	bucket string // its URL
	key    aws.Credentials
	signer *v4.Signer
	http   *http.Client
	pages  sync.Pool
}

// Forward serves the restic protocol from a bucket, until ctx ends: the least that can stand
// between restic and S3. Whoever comes is served.
func Forward(ctx context.Context, listen, bucket, key, secret string) error {
	f := &forwarder{
		bucket: bucket,
		key:    aws.Credentials{AccessKeyID: key, SecretAccessKey: secret},
		signer: v4.NewSigner(),
		http: &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 64, DisableCompression: true,
			WriteBufferSize: chunk, ReadBufferSize: chunk,
		}},
		pages: sync.Pool{New: func() any { return new([4 * chunk]byte) }},
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	var err error
	switch {
	case r.URL.Query().Has("create"): // a repository is a prefix
	case strings.HasSuffix(name, "/"):
		err = f.list(w, r, name)
	default:
		err = f.pass(w, r, keyOf(name))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
}

// keyOf is where restic keeps an object in a bucket.
func keyOf(name string) string {
	dir, base := path.Split(name)
	if strings.HasSuffix(dir, "/data/") && len(base) > 2 {
		return dir + base[:2] + "/" + base
	}
	return name
}

// ask sends a signed request.
func (f *forwarder) ask(ctx context.Context, method, key string, query url.Values, body io.Reader, change func(*http.Request)) (*http.Response, error) {
	address := f.bucket + "/" + key
	if query != nil {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	change(req)
	const unsigned = "UNSIGNED-PAYLOAD" // TLS guards it
	req.Header.Set("X-Amz-Content-Sha256", unsigned)
	if err := f.signer.SignHTTP(ctx, f.key, req, unsigned, "s3", "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	return f.http.Do(req)
}

// pass passes on a request for an object, and the answer.
func (f *forwarder) pass(w http.ResponseWriter, r *http.Request, key string) error {
	method, body := r.Method, io.Reader(http.NoBody)
	if method == http.MethodPost {
		method, body = http.MethodPut, r.Body
	}
	answer, err := f.ask(r.Context(), method, key, nil, body, func(req *http.Request) {
		if method == http.MethodPut {
			req.ContentLength = r.ContentLength
		}
		if asked := r.Header.Get("Range"); asked != "" {
			req.Header.Set("Range", asked)
		}
	})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	status := answer.StatusCode
	if status == http.StatusNoContent {
		status = http.StatusOK
	}
	if length := answer.Header.Get("Content-Length"); length != "" {
		w.Header().Set("Content-Length", length)
	}
	w.WriteHeader(status)
	page := f.pages.Get().(*[4 * chunk]byte)
	defer f.pages.Put(page)
	_, _ = io.CopyBuffer(struct{ io.Writer }{w}, answer.Body, page[:]) // restic sees when it ends early
	return nil
}

// list lists a directory, page by page.
func (f *forwarder) list(w http.ResponseWriter, r *http.Request, prefix string) error {
	type entry struct {
		Name string `json:"name"`
		Size int64  `json:"size"`
	}
	entries := []entry{}
	for next := ""; ; {
		query := url.Values{"list-type": {"2"}, "prefix": {prefix}}
		if next != "" {
			query.Set("continuation-token", next)
		}
		var page struct {
			Contents []struct {
				Key  string
				Size int64
			}
			NextContinuationToken string
		}
		answer, err := f.ask(r.Context(), http.MethodGet, "", query, http.NoBody, func(*http.Request) {})
		if err != nil {
			return err
		}
		err = xml.NewDecoder(answer.Body).Decode(&page)
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("list %s: status %s", prefix, answer.Status)
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		for _, object := range page.Contents {
			entries = append(entries, entry{path.Base(object.Key), object.Size})
		}
		if next = page.NextContinuationToken; next == "" {
			break
		}
	}
	w.Header().Set("Content-Type", "application/vnd.x.restic.rest.v2")
	return json.NewEncoder(w).Encode(entries)
}
