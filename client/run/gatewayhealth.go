package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// healthTimeout is longer than a gateway takes to test a destination.
const healthTimeout = 30 * time.Second

// errNoHealth says that the gateway has no health path: it is another program, or an older
// version.
var errNoHealth = errors.New("the gateway does not report the state of the destination")

// destinationHealth asks the gateway for the state of a repository's destination, as the
// repository's user. With write, the gateway tests whether the storage accepts writes.
func destinationHealth(ctx context.Context, p Probe, gateway string, repository restic.Repository, write bool) (adminapi.HealthReply, error) {
	var reply adminapi.HealthReply
	path, below := strings.CutPrefix(repository.URL, gateway+"/")
	if !below {
		return reply, errNoHealth
	}
	query := url.Values{"repository": {path}}
	if write {
		query.Set("write", "true")
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+adminapi.HealthPath+"?"+query.Encode(), nil)
	if err != nil {
		return reply, err
	}
	request.SetBasicAuth(repository.User, repository.Password)
	response, err := p.client.Do(request)
	if err != nil {
		return reply, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&reply) != nil || reply.State == "" {
		return reply, errNoHealth
	}
	return reply, nil
}

// AskWhy adds what the gateway knows about the cause to an error of a backup or a restore:
// restic only sees a status.
func AskWhy(ctx context.Context, sys *host.System, repository restic.Repository, write bool, err error) error {
	if err == nil || ctx.Err() != nil || repository.URL == "" {
		return err
	}
	code := exit.Code(exit.CodeOf(ctx, err))
	if code != exit.Unreachable && code != exit.Full {
		return err
	}
	reply, unknown := destinationHealth(ctx, NewProbe(sys.Env), sys.Env.GatewayURL(), repository, write)
	if unknown != nil || reply.State == adminapi.HealthWorks {
		return err
	}
	return exit.With(code, fmt.Errorf("%s: %w", healthText(reply), err))
}

// plainName matches what needs no quotes in a shell.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// healthText describes a destination that does not work.
func healthText(reply adminapi.HealthReply) string {
	why := reply.Reason
	if reply.KeyRefused {
		why = "the storage refuses the gateway's key"
	}
	name := reply.Name
	if name == "" {
		name = reply.Destination
	}
	named := name
	if !plainName.MatchString(named) {
		named = reply.Destination // needs no quotes
	}
	return fmt.Sprintf("destination %s: %s (request %s; %q on the gateway's host says more)",
		host.Printable(name), why, reply.RequestID, "gatewayctl destination check "+host.Printable(named))
}
