package lease

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// askTimeout bounds a request: a gateway gives Redis ten seconds.
const askTimeout = 15 * time.Second

// asker requests leases of a repository from its gateway, as the repository's user.
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

// ask returns the gateway's answer, or a [NoneError] if there is no useful one.
func (a *asker) ask(ctx context.Context, method string, asked adminapi.LeaseRequest) (reply adminapi.LeaseReply, err error) {
	answer, err := gatehttp.Ask(ctx, a.client, gatehttp.Question{
		Method: method, URL: a.url, User: a.user, Password: a.password, Body: asked, Most: 64 << 10,
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return reply, context.Cause(ctx)
	case err != nil:
		return reply, &NoneError{err, false}
	case answer.Code != http.StatusOK:
		// An older gateway takes the path for a repository's, and refuses it to modules. If
		// it refuses everything, the work that needs the lease will report that.
		unknown := answer.Code < http.StatusInternalServerError || answer.Code == http.StatusNotImplemented
		return reply, &NoneError{fmt.Errorf("the gateway answers %d %s", answer.Code, http.StatusText(answer.Code)), unknown}
	}
	if json.Unmarshal(answer.Text, &reply) != nil || reply.Token == "" && reply.Held == nil && !reply.Lost && method != http.MethodDelete {
		return reply, &NoneError{fmt.Errorf("the gateway at %s knows no leases", a.url), true}
	}
	return reply, nil
}
