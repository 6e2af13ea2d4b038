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

// ParseTime reads a time as people give it to that flag: as in RFC 3339, or how long ago.
// Without a text it is zero.
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

// viewLayout is that of the time in the address of a repository as it was.
const viewLayout = "2006-01-02T15:04:05Z"

// mostRefusal bounds what is read of why the gateway refuses.
const mostRefusal = 1 << 10

// At returns a repository as it was at the end of that second. The error says why the
// gateway has it not.
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
		return repository, nil // who uses it asks again and again, and says what is wrong
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
