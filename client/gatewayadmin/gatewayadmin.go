// Package gatewayadmin asks this node's gateway what only a gateway knows: whether a
// destination works, how much space it has, how rclone obscures a password. It holds no
// state and no command.
package gatewayadmin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

const (
	// checkTimeout is longer than a gateway needs for each step of a check.
	checkTimeout = 3 * time.Minute
	// conformanceTimeout is longer than a gateway lets the conformance suite run.
	conformanceTimeout = 25 * time.Minute
	// spaceTimeout is longer than a gateway takes to ask all destinations for their space.
	spaceTimeout = 3 * time.Second
)

// Check lets this node's gateway test a destination.
func Check(ctx context.Context, s *host.System, req adminapi.CheckRequest) (*adminapi.CheckReport, error) {
	timeout := checkTimeout
	if req.Conformance {
		timeout = conformanceTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var report adminapi.CheckReport
	if err := ask(ctx, s, adminapi.CheckPath, req, &report); err != nil {
		return nil, err
	}
	return &report, nil
}

// Obscure obscures passwords with rclone's own code, which is not linked here: it asks this
// node's gateway, or else runs the gateway's program.
func Obscure(ctx context.Context, s *host.System, backend string, values map[string]string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	req := adminapi.ObscureRequest{Type: backend, Values: values}
	var reply adminapi.ObscureReply
	err := ask(ctx, s, adminapi.ObscurePath, req, &reply)
	if _, away := errors.AsType[Away](err); !away {
		return reply.Values, err
	}
	path, errProgram := program()
	if errProgram != nil {
		return nil, exit.Failf(exit.Unreachable, "%w; the password must be obscured as rclone does it, by the gateway or by its program rclone-gateway, which is neither beside this one nor in $PATH", err)
	}
	return runObscure(ctx, path, req)
}

// program returns the gateway's program, beside ours or in $PATH.
func program() (string, error) {
	const name = "rclone-gateway"
	if own, err := os.Executable(); err == nil {
		if program, err := exec.LookPath(filepath.Join(filepath.Dir(own), name)); err == nil {
			return program, nil
		}
	}
	return exec.LookPath(name)
}

func runObscure(ctx context.Context, program string, req adminapi.ObscureRequest) (map[string]string, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "obscure")
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(body), &stderr
	answer, err := cmd.Output()
	if err != nil {
		return nil, exit.Failf(exit.Failed, "%s obscure: %w: %s", program, err, host.Printable(strings.TrimSpace(stderr.String())))
	}
	var reply adminapi.ObscureReply
	if err := json.Unmarshal(answer, &reply); err != nil {
		return nil, exit.Failf(exit.Failed, "%s obscure did not answer in JSON", program)
	}
	return reply.Values, nil
}

// Space returns the space of all destinations, by ID.
func Space(ctx context.Context, s *host.System) (map[string]adminapi.Space, error) {
	ctx, cancel := context.WithTimeout(ctx, spaceTimeout)
	defer cancel()
	var reply adminapi.SpaceReply
	err := ask(ctx, s, adminapi.SpacePath, struct{}{}, &reply)
	return reply.Destinations, err
}

// ask sends a request to the gateway's administrative paths, as the node.
func ask(ctx context.Context, s *host.System, path string, in, out any) error {
	said, err := exchange(ctx, s, http.MethodPost, path, in, out)
	if err != nil {
		return err
	}
	switch said.code {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return exit.Failf(exit.Forbidden, "the gateway at %s refuses user %q: it takes a node's credentials, from this host", said.url, said.user)
	case http.StatusNotFound:
		return exit.Failf(exit.NotFound, "the gateway at %s does not know the destination", said.url)
	}
	return exit.Failf(exit.Unreachable, "the gateway at %s answered %s%s", said.url, said.status, whyUnready(ctx, said.url, said.code))
}

// said describes a gateway's refusal: who asked, which gateway, the status.
type said struct {
	url, user, status string
	code              int
}

// mostAnswer bounds an answer, in bytes.
const mostAnswer = 64 << 20

// exchange sends a request as the node, and decodes the answer into out if the status is
// 200. It sends no body if in is nil.
func exchange(ctx context.Context, s *host.System, method, path string, in, out any) (said, error) {
	login, err := s.Env.NodeCredentials()
	if err != nil {
		return said{}, err
	}
	url := s.Env.GatewayURL()
	answer, err := gatehttp.Ask(ctx, s.Env.GatewayClient(0), gatehttp.Question{
		Method: method, URL: url + path, User: login.User, Password: login.Password, Body: in, Most: mostAnswer,
	})
	switch {
	case errors.Is(err, gatehttp.ErrAddress):
		return said{}, exit.Failf(exit.Usage, "the gateway's address %s is no URL", url)
	case answer == nil:
		return said{}, exit.With(exit.Unreachable, Away{url, err, s.Env.GatewayFiles().Advice(err)})
	}
	return said{url, login.User, answer.Status, answer.Code}, read(answer, err, url, out)
}

// AskSocket sends a request to a gateway's administrative socket, and decodes the answer
// into out if the status is 200. Otherwise it returns what the gateway said.
func AskSocket(ctx context.Context, socket, path string, in, out any) (status int, said string, err error) {
	var dialer net.Dialer
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
	}}
	defer client.CloseIdleConnections()
	answer, err := gatehttp.Ask(ctx, client, gatehttp.Question{Method: http.MethodPost, URL: "http://gateway" + path, Body: in, Most: mostAnswer})
	if answer == nil {
		return 0, "", exit.Failf(exit.Unreachable, "the gateway does not listen to us at %s: run this on its host, as its own user or root, and give its --state-dir: %w", socket, err)
	}
	return answer.Code, host.Printable(strings.TrimSpace(string(answer.Text))), read(answer, err, socket, out)
}

// read decodes a gateway's answer into out if the status is 200.
func read(answer *gatehttp.Answer, broken error, address string, out any) error {
	switch {
	case broken != nil:
		return exit.Failf(exit.Unreachable, "the gateway's answer broke off: %w", broken)
	case answer.Code == http.StatusOK && json.Unmarshal(answer.Text, out) != nil:
		return fmt.Errorf("the gateway at %s did not answer in JSON: is something else listening there?", address)
	}
	return nil
}

// whyUnready asks a gateway that is not ready for the reason, as rclone-gateway health
// does.
func whyUnready(ctx context.Context, url string, status int) string {
	if status != http.StatusServiceUnavailable {
		return ""
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/-/ready", nil)
	if err != nil {
		return ""
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	const most = 512
	text, _ := io.ReadAll(io.LimitReader(response.Body, most))
	if response.StatusCode == http.StatusOK || len(text) == 0 {
		return ""
	}
	return ": " + host.Printable(strings.TrimSpace(string(text)))
}

// Away returns the error for a gateway that does not answer.
type Away struct {
	url    string
	err    error
	advice string
}

func (e Away) Error() string {
	if e.advice != "" {
		return fmt.Sprintf("the gateway at %s cannot be used: %s: %v", e.url, e.advice, e.err)
	}
	return fmt.Sprintf("the gateway at %s does not answer (NS8_GATEWAY_URL says where it is): %v", e.url, e.err)
}

func (e Away) Unwrap() error { return e.err }
