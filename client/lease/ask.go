package lease

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// askTimeout bounds a question: a gateway gives Redis ten seconds.
const askTimeout = 15 * time.Second

// asker asks the gateway of a repository for leases of it, as the repository's user.
type asker struct {
	client         *http.Client
	url            string
	repository     restic.Repository
	path           string // DESTINATION/APP/UUID
	user, password string
}

func newAsker(sys *host.System, repository restic.Repository) (asker, error) {
	gateway := sys.Env.GatewayURL()
	path, below := strings.CutPrefix(repository.URL, gateway+"/")
	if !below {
		return asker{}, &NoneError{fmt.Errorf("repository %s is not at the gateway %s", repository, gateway), true}
	}
	return asker{
		client: sys.Env.GatewayClient(askTimeout), url: gateway + adminapi.LeasePath, repository: repository, path: path,
		user: repository.User, password: repository.Password,
	}, nil
}

func (a *asker) grant(ctx context.Context, purpose string, lockers []string) (adminapi.LeaseReply, error) {
	return a.ask(ctx, http.MethodPost, adminapi.LeaseRequest{Repository: a.path, Purpose: purpose, Lockers: lockers})
}

func (a *asker) renew(ctx context.Context, token string, lockers []string) (adminapi.LeaseReply, error) {
	return a.ask(ctx, http.MethodPut, adminapi.LeaseRequest{Repository: a.path, Token: token, Lockers: lockers})
}

func (a *asker) release(ctx context.Context, token string, clean bool) error {
	_, err := a.ask(ctx, http.MethodDelete, adminapi.LeaseRequest{Repository: a.path, Token: token, Clean: clean})
	return err
}

// ask returns what the gateway answers; a [NoneError] where that is nothing of use.
func (a *asker) ask(ctx context.Context, method string, asked adminapi.LeaseRequest) (reply adminapi.LeaseReply, err error) {
	body, err := json.Marshal(asked)
	if err != nil {
		return reply, err
	}
	request, err := http.NewRequestWithContext(ctx, method, a.url, bytes.NewReader(body))
	if err != nil {
		return reply, err
	}
	request.SetBasicAuth(a.user, a.password)
	request.Header.Set("Content-Type", "application/json")
	response, err := a.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return reply, context.Cause(ctx)
		}
		return reply, &NoneError{err, false}
	}
	defer func() { _ = response.Body.Close() }()
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	switch {
	case err != nil:
		return reply, &NoneError{fmt.Errorf("the gateway's answer broke off: %w", err), false}
	case response.StatusCode != http.StatusOK:
		// An older gateway takes the path for a repository's, and refuses it to modules.
		// Whoever is refused everything hears that from what needs the lease.
		unknown := response.StatusCode < http.StatusInternalServerError || response.StatusCode == http.StatusNotImplemented
		return reply, &NoneError{fmt.Errorf("the gateway answers %d %s", response.StatusCode, http.StatusText(response.StatusCode)), unknown}
	}
	if json.Unmarshal(text, &reply) != nil || reply.Token == "" && reply.Held == nil && !reply.Lost && method != http.MethodDelete {
		return reply, &NoneError{fmt.Errorf("the gateway at %s knows no leases", a.url), true}
	}
	return reply, nil
}
