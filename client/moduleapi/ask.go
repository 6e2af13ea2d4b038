package moduleapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// askTimeout bounds a request: a gateway gives Redis ten seconds, and a load fifteen.
const askTimeout = 30 * time.Second

// AwayError says that the gateway does not answer, or cannot reach Redis: a temporary
// failure.
type AwayError struct{ err error }

func (e *AwayError) Error() string { return e.err.Error() }
func (e *AwayError) Unwrap() error { return e.err }

// refusedError is a permanent refusal.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string { return e.text }

// IsUnknown reports whether an error may come from a gateway without this API: another
// program, an older version, or one that accepts nobody from here.
func IsUnknown(err error) bool {
	refused, ok := errors.AsType[*refusedError](err)
	return ok && (refused.status == http.StatusForbidden || refused.status == http.StatusMethodNotAllowed || refused.status == http.StatusOK)
}

// IsInvalid reports whether an error says that the gateway will never accept what was
// posted.
func IsInvalid(err error) bool {
	refused, ok := errors.AsType[*refusedError](err)
	return ok && (refused.status == http.StatusBadRequest || refused.status == http.StatusForbidden || refused.status == http.StatusRequestEntityTooLarge)
}

// Facts returns what a module must know about itself. Errors carry their exit code.
func Facts(ctx context.Context, env *host.Environment) (facts adminapi.ModuleFacts, err error) {
	if err = ask(ctx, env, http.MethodGet, adminapi.ModuleFactsPath, nil, &facts); err == nil && facts.ID == "" {
		err = notServed(env, http.StatusOK)
	}
	return facts, err
}

// Password returns the password of a repository that the module may read.
func Password(ctx context.Context, env *host.Environment, destination, app, uuid string) (password adminapi.ModulePassword, err error) {
	query := url.Values{"repository": {destination + "/" + app + "/" + uuid}}
	if err = ask(ctx, env, http.MethodGet, adminapi.ModulePasswordPath+"?"+query.Encode(), nil, &password); err == nil && password.Password == "" {
		err = notServed(env, http.StatusOK)
	}
	return password, err
}

// Dumps returns the module's keys that each backup holds.
func Dumps(ctx context.Context, env *host.Environment) (dumps adminapi.ModuleDumps, err error) {
	return dumps, ask(ctx, env, http.MethodGet, adminapi.ModuleDumpsPath, nil, &dumps)
}

// Post reports outcomes of the module's backups.
func Post(ctx context.Context, env *host.Environment, outcomes []adminapi.ModuleOutcome) (reply adminapi.ModuleRecorded, err error) {
	return reply, ask(ctx, env, http.MethodPost, adminapi.ModuleOutcomesPath, adminapi.ModuleOutcomes{Outcomes: outcomes}, &reply)
}

// ask sends a request as the module, and decodes the answer.
func ask(ctx context.Context, env *host.Environment, method, path string, body, into any) error {
	login, err := env.Credentials()
	if err != nil {
		return err
	}
	client := env.GatewayClient(askTimeout)
	defer client.CloseIdleConnections()
	answer, err := gatehttp.Ask(ctx, client, gatehttp.Question{
		Method: method, URL: env.GatewayURL() + path, User: login.User, Password: login.Password, Body: body, Most: 4 << 20,
	})
	switch {
	case errors.Is(err, gatehttp.ErrAddress):
		return exit.Failf(exit.Usage, "the gateway's address %s is no URL", env.GatewayURL())
	case err != nil:
		return unreached(ctx, env, err)
	case answer.Code != http.StatusOK:
		return refused(env, login.User, path, answer.Code)
	case json.Unmarshal(answer.Text, into) != nil:
		return notServed(env, http.StatusOK)
	}
	return nil
}

// unreached returns the error for a request without an answer.
func unreached(ctx context.Context, env *host.Environment, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	advice := env.GatewayFiles().Advice(err)
	if advice == "" {
		advice = "check NS8_GATEWAY_URL, the network, and that the gateway runs"
	}
	return &AwayError{exit.Failf(exit.Unreachable, "the gateway at %s does not answer: %w; %s", env.GatewayURL(), err, advice)}
}

// refused returns the error for a status.
func refused(env *host.Environment, user, path string, status int) error {
	said := fmt.Sprintf("the gateway at %s answers %d %s", env.GatewayURL(), status, http.StatusText(status))
	switch {
	case status == http.StatusServiceUnavailable:
		return &AwayError{exit.Failf(exit.Redis, "%s: it does not reach Redis now", said)}
	case status == http.StatusTooManyRequests, status >= http.StatusInternalServerError && status != http.StatusNotImplemented:
		return &AwayError{exit.Failf(exit.Unreachable, "%s: its log says why", said)}
	case status == http.StatusUnauthorized:
		return exit.With(exit.Forbidden, &refusedError{status, fmt.Sprintf("the gateway at %s refuses user %s: wrong password, or the user was removed", env.GatewayURL(), user)})
	case status == http.StatusNotFound && strings.HasPrefix(path, adminapi.ModulePasswordPath):
		return exit.With(exit.NotFound, &refusedError{status, said + ": the backup destination does not exist, or has no password"})
	}
	return notServed(env, status)
}

// notServed returns the error for a gateway without an API for modules.
func notServed(env *host.Environment, status int) error {
	code := exit.Forbidden
	if status == http.StatusOK || status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
		code = exit.Unreachable
	}
	return exit.With(code, &refusedError{status, fmt.Sprintf("the gateway at %s does not tell this module (%d): it is not the module's to know, "+
		"or the gateway lets nobody in from here (--allow-from), or it is older than this gatewayctl and must be updated first", env.GatewayURL(), status)})
}
