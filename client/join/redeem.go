package join

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/pairing"
)

// redeemTimeout is longer than a gateway waits for Redis.
const redeemTimeout = 30 * time.Second

// waitHeader holds the seconds to wait.
const waitHeader = "Retry-After"

// mostSettings bounds an answer, in bytes.
const mostSettings = 1 << 20

// redeem exchanges a code for settings at the gateway. That works once.
func redeem(ctx context.Context, client *http.Client, address *url.URL, code pairing.Code, advice func(error) string) (Settings, error) {
	answer, err := gatehttp.Ask(ctx, client, gatehttp.Question{
		Method: http.MethodPost, URL: address.String() + adminapi.PairPath, Body: adminapi.PairRequest{Ticket: code.Ticket()}, Most: mostSettings,
	})
	switch {
	case err != nil && answer == nil:
		return Settings{}, away(address, err, advice(err))
	case err != nil:
		return Settings{}, exit.Failf(exit.Unreachable, "the answer of the gateway at %s broke off: try the code again, and if it was used by that, have a new one made: %w", address, err)
	case answer.Code != http.StatusOK:
		return Settings{}, refused(address, answer)
	}
	var reply adminapi.PairReply
	if json.Unmarshal(answer.Text, &reply) != nil {
		return Settings{}, exit.Failf(exit.Failed, "the gateway at %s knows no pairing codes: is it as new as this program?", address)
	}
	plain, err := code.Open(reply.Sealed)
	if err != nil {
		return Settings{}, exit.Failf(exit.Failed, "what the gateway at %s gives for the code was not made with it: somebody is between, or the program there is another one: %w", address, err)
	}
	settings, err := parseSettings(plain)
	if err != nil {
		return Settings{}, exit.Failf(exit.Failed, "what the gateway at %s gives for the code is not complete: are both programs of one version? %w", address, err)
	}
	return settings, nil
}

// away returns the error for a gateway that was not reached; the code is still unused.
func away(address *url.URL, err error, advice string) error {
	switch {
	case errors.Is(err, gatehttp.ErrPinned):
		return exit.Failf(exit.Forbidden, "what answers at %s is not the gateway that the code is for: %w: the code was not sent; compare --ca-sha256 with what \"gatewayctl module add --pair\" printed, or make a new code if the certificate was renewed since", address, err)
	case advice != "":
		return exit.Failf(exit.Unreachable, "the gateway at %s cannot be used: %s: the code was not sent: %w", address, advice, err)
	}
	return exit.Failf(exit.Unreachable, "the gateway at %s does not answer: check the address, the firewall, and that it listens for other hosts (--addr, --allow-from): %w", address, err)
}

// refused returns the error for a refused code.
func refused(address *url.URL, answer *gatehttp.Answer) error {
	said := host.Printable(string(bytes.TrimSpace(answer.Text)))
	switch answer.Code {
	case http.StatusForbidden:
		return exit.Failf(exit.Forbidden, "the gateway at %s answers: %s; \"gatewayctl module add --pair\" makes a new code", address, said)
	case http.StatusTooManyRequests:
		return exit.Failf(exit.Forbidden, "the gateway at %s takes no more codes from this address for %s seconds, since too many were wrong", address, host.Printable(answer.Header.Get(waitHeader)))
	case http.StatusServiceUnavailable:
		return exit.Failf(exit.Unreachable, "the gateway at %s does not reach Redis at the moment: the code stays good, try again: %s", address, said)
	case http.StatusNotFound, http.StatusUnauthorized, http.StatusMethodNotAllowed:
		return exit.Failf(exit.Failed, "what answers at %s knows no pairing codes (%s): is it the gateway, and as new as this program?", address, answer.Status)
	}
	return exit.Failf(exit.Failed, "the gateway at %s answers %s", address, said)
}
