package run

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// Probe asks the gateway whether a repository exists. Only a 404 of the gateway proves that
// it does not: failures never get that status.
type Probe struct {
	client *http.Client
	advise func(error) string // advice on how to reach the gateway
	// waits are the pauses before retries while the destination is unavailable: one attempt
	// more than pauses.
	waits []time.Duration
}

// NewProbe returns a probe for the gateway that env describes.
func NewProbe(env *host.Environment) Probe {
	return Probe{
		// The first use of a destination may take a while.
		client: env.GatewayClient(time.Minute),
		advise: env.GatewayFiles().Advice,
		waits:  []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second},
	}
}

// Exists reports whether the repository exists. Errors carry their exit code.
func (p Probe) Exists(ctx context.Context, repository restic.Repository) (bool, error) {
	for attempt := 0; ; attempt++ {
		status, err := p.Request(ctx, http.MethodHead, repository, "config")
		switch {
		case status == http.StatusOK:
			return true, nil
		case status == http.StatusNotFound:
			return false, nil
		case status == http.StatusUnauthorized, status == http.StatusForbidden:
			return false, exit.Failf(exit.Forbidden, "the gateway refuses user %s at %s: %s", repository.User, repository, http.StatusText(status))
		case status == http.StatusInsufficientStorage:
			return false, exit.Failf(exit.Full, "repository %s: %s", repository, http.StatusText(status))
		case err == nil && status < 500:
			return false, exit.Failf(exit.Failed, "the gateway answers %d to HEAD %s/config", status, repository)
		case err == nil:
			err = fmt.Errorf("the gateway answers %d %s", status, http.StatusText(status))
		}
		if p.advise != nil && p.advise(err) != "" {
			return false, exit.Failf(exit.Unreachable, "the gateway of repository %s cannot be used: %s: %w", repository, p.advise(err), err)
		}
		if attempt == len(p.waits) {
			return false, exit.Failf(exit.Unreachable, "repository %s cannot be reached: %w", repository, err)
		}
		select {
		case <-time.After(p.waits[attempt]):
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// Close closes idle connections: a run probes many repositories.
func (p Probe) Close() { p.client.CloseIdleConnections() }

// Age returns how long ago an object was stored, by the clocks of the storage and the
// gateway only.
func (p Probe) Age(ctx context.Context, repository restic.Repository, object string) (age time.Duration, known bool) {
	response, err := p.do(ctx, http.MethodHead, repository, object)
	if err != nil {
		return 0, false
	}
	_ = response.Body.Close()
	stored, errStored := http.ParseTime(response.Header.Get(headerReceived))
	now, errNow := http.ParseTime(response.Header.Get(headerNow))
	if response.StatusCode != http.StatusOK || errStored != nil || errNow != nil {
		return 0, false
	}
	return now.Sub(stored), true
}

// Request requests an object of the repository, and returns the status.
func (p Probe) Request(ctx context.Context, method string, repository restic.Repository, object string) (int, error) {
	response, err := p.do(ctx, method, repository, object)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func (p Probe) do(ctx context.Context, method string, repository restic.Repository, object string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, repository.URL+"/"+object, nil)
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(repository.User, repository.Password)
	request.Header.Set("Accept", "application/vnd.x.restic.rest.v2")
	return p.client.Do(request)
}
