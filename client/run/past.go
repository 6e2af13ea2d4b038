package run

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// ParseTime parses the value of a time flag: an RFC 3339 time, or how long ago. "" is the
// zero time.
func ParseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	ago, err := time.ParseDuration(text)
	if err != nil || ago < 0 {
		return time.Time{}, exit.Failf(exit.Usage, "%s %q: give a time such as 2026-11-29T20:00:00Z, or how long ago it was, such as 36h", flag, text)
	}
	return time.Now().Add(-ago), nil
}

// viewLayout is the format of the time in the URL of a past state of a repository.
const viewLayout = "2006-01-02T15:04:05Z"

// mostRefusal bounds what is read of the gateway's reason for a refusal.
const mostRefusal = 1 << 10

// At returns the state of a repository at the end of a second. The error says why the
// gateway does not have it.
func At(ctx context.Context, sys *host.System, repository restic.Repository, at time.Time) (restic.Repository, error) {
	repository.URL += "@" + at.UTC().Format(viewLayout)
	p := NewProbe(sys.Env)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, repository.URL+"/config", nil)
	if err != nil {
		return repository, err
	}
	request.SetBasicAuth(repository.User, repository.Password)
	request.Header.Set("Accept", "application/vnd.x.restic.rest.v2")
	response, err := p.client.Do(request)
	if err != nil {
		return repository, nil // the caller retries, and reports what is wrong
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(response.Body, mostRefusal))
	said := host.Printable(strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "; "))
	switch response.StatusCode {
	case http.StatusForbidden, http.StatusUnauthorized:
		return repository, exit.Failf(exit.Forbidden, "repository %s: %s", repository, said)
	case http.StatusNotFound:
		return repository, exit.Failf(exit.NotFound, "repository %s: there was none at that time, or the gateway has no repositories as they were: %s", repository, said)
	case http.StatusNotImplemented:
		return repository, fmt.Errorf("repository %s: the storage does not say when it received objects: %s", repository, said)
	}
	return repository, nil
}
