package gatewayadmin

import (
	"context"
	"net/http"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

const (
	destinationsPath = "/-/api/v1/destinations"
	// factsTimeout is longer than a gateway needs for an answer from memory.
	factsTimeout = 10 * time.Second
)

// Destination is a destination in the gateway's API.
type Destination struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	State  string `json:"state"` // works, fails, unused, unreached, broken, peer
	Level  string `json:"level"` // good, unknown, warning, bad
	Reason string `json:"reason"`
	Node   string `json:"node"`
	Space  *struct {
		Free  *int64 `json:"free"`
		Total *int64 `json:"total"`
		Daily *int64 `json:"daily"`
		Full  string `json:"full_on"`
	} `json:"space"`
}

// Destinations asks the gateway for the state of its destinations, their space, and when
// they will be full.
func Destinations(ctx context.Context, s *host.System) ([]Destination, error) {
	ctx, cancel := context.WithTimeout(ctx, factsTimeout)
	defer cancel()
	var answer struct {
		Destinations []Destination `json:"destinations"`
	}
	said, err := exchange(ctx, s, http.MethodGet, destinationsPath, nil, &answer)
	if err != nil {
		return nil, err
	}
	if said.code != http.StatusOK {
		return nil, exit.Failf(exit.Unreachable, "the gateway at %s does not tell its destinations to %q: %s", said.url, said.user, said.status)
	}
	return answer.Destinations, nil
}
