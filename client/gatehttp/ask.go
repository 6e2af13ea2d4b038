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

// Question is what a gateway is asked by one of its own paths.
type Question struct {
	Method, URL    string
	User, Password string // for Basic authentication; none where User is empty
	Body           any    // sent as JSON; nil sends nothing
	Most           int64  // bounds the answer, in bytes
}

// ErrAddress is the error of a gateway's address that is no URL.
var ErrAddress = errors.New("the gateway's address is no URL")

// Ask returns the gateway's answer, whatever its status: the response, whose body is closed,
// and its text. There is no response where the question could not be sent or nothing answered;
// with one, the error says that the answer broke off.
func Ask(ctx context.Context, client *http.Client, q Question) (response *http.Response, text []byte, err error) {
	var body []byte
	if q.Body != nil {
		if body, err = json.Marshal(q.Body); err != nil {
			return nil, nil, fmt.Errorf("put the question into JSON: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, q.Method, q.URL, bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if q.User != "" {
		request.SetBasicAuth(q.User, q.Password)
	}
	if q.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if response, err = client.Do(request); err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err = io.ReadAll(io.LimitReader(response.Body, q.Most))
	return response, text, err
}
