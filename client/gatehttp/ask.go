package gatehttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Question is a request to one of the gateway's own paths.
type Question struct {
	Method, URL    string
	User, Password string // Basic authentication; none if User is empty
	Body           any    // sent as JSON; nil sends nothing
	Most           int64  // bounds the answer, in bytes
}

// ErrAddress is the error for a gateway address that is not a URL.
var ErrAddress = errors.New("the gateway's address is no URL")

// Answer is the gateway's response.
type Answer struct {
	Code   int    // 200
	Status string // 200 OK
	Header http.Header
	Text   []byte
}

// Ask returns the gateway's answer, whatever its status. The answer is nil if the request
// could not be sent or got no response. An error beside an answer says that its body broke
// off.
func Ask(ctx context.Context, client *http.Client, q Question) (*Answer, error) {
	var body []byte
	if q.Body != nil {
		var err error
		if body, err = json.Marshal(q.Body); err != nil {
			return nil, fmt.Errorf("put the question into JSON: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, q.Method, q.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if q.User != "" {
		request.SetBasicAuth(q.User, q.Password)
	}
	if q.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, q.Most))
	return &Answer{response.StatusCode, response.Status, response.Header, text}, err
}
