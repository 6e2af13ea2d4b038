package runbackup

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
)

const (
	// smallTimeout bounds the upload of a few bytes.
	smallTimeout = 30 * time.Second
	// clusterTimeout bounds the upload of the cluster's backup.
	clusterTimeout = 10 * time.Minute
)

// dav uploads files to a destination over WebDAV, as the node.
type dav struct {
	client *http.Client
	base   string
	login  host.Credentials
	err    error // why there are no credentials
}

func newDAV(sys *host.System, destination string) dav {
	d := dav{client: sys.Env.GatewayClient(0), base: sys.Env.GatewayURL() + "/" + destination + "/"}
	d.login, d.err = sys.Env.NodeCredentials()
	return d
}

// makeDir creates a directory, which may exist. The next upload reports its failure.
func (d dav) makeDir(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, smallTimeout)
	defer cancel()
	_ = d.send(ctx, "MKCOL", name, "", nil, 0)
}

func (d dav) put(ctx context.Context, name, contentType string, body io.Reader, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, smallTimeout)
	defer cancel()
	return d.send(ctx, http.MethodPut, name, contentType, body, size)
}

func (d dav) send(ctx context.Context, method, name, contentType string, body io.Reader, size int64) error {
	if d.err != nil {
		return d.err
	}
	request, err := http.NewRequestWithContext(ctx, method, d.base+name, body)
	if err != nil {
		return err
	}
	request.ContentLength = size
	request.SetBasicAuth(d.login.User, d.login.Password)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := d.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("the gateway answers %d %s to %s %s", response.StatusCode, http.StatusText(response.StatusCode), method, name)
	}
	return nil
}
