package channel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/internal/secretfile"
)

// tryFor is how long sending may take.
const tryFor = 30 * time.Second

// Sender sends a message; its errors are fit to be shown.
type Sender interface {
	Send(ctx context.Context, m *message.Message) error
}

// Open returns the channel. Where its template cannot be used, wrong says why, and it sends
// what it sends without a template.
func Open(c *notifyfile.Channel) (s Sender, wrong error) {
	switch c.Kind {
	case notifyfile.Mail:
		return mailer{c}, nil
	case notifyfile.Webhook:
		template, err := readTemplate(c)
		return &webhook{c, template}, err
	case notifyfile.Ntfy:
		return ntfy{c}, nil
	case notifyfile.Healthchecks:
		return healthchecks{c}, nil
	}
	return nil, fmt.Errorf("there is no channel of kind %q", c.Kind)
}

// Secrets are those of a channel as far as they can be read, so that they can be kept out
// of messages.
func Secrets(c *notifyfile.Channel) (all []string) {
	for _, file := range []string{c.PasswordFile, c.URLFile, c.TokenFile} {
		if secret, err := secretfile.Read(file); file != "" && err == nil {
			all = append(all, secret)
		}
	}
	headers, _ := readHeaders(c.HeaderFile)
	for _, values := range headers {
		all = append(all, values...)
	}
	if c.Kind != notifyfile.Mail && c.URL != "" {
		all = append(all, c.URL)
	}
	return all
}

// client reaches services. It follows no redirect: a message is for the address that the
// administrator gave, and for no other.
func client(c *notifyfile.Channel) *http.Client {
	var files gatehttp.Files
	if c.CAFile != "" {
		files.CACerts = []string{c.CAFile}
	}
	return &http.Client{
		Timeout: tryFor, Transport: gatehttp.Transport(files),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// do sends a request. The answer's body is not read: it is the service's, and could repeat
// what it was sent.
func do(c *notifyfile.Channel, request *http.Request) error {
	over := client(c)
	defer over.CloseIdleConnections()
	answer, err := over.Do(request)
	if err != nil {
		return withoutAddress(err)
	}
	_ = answer.Body.Close()
	switch {
	case answer.StatusCode >= 200 && answer.StatusCode < 300:
		return nil
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		where := "elsewhere"
		if u, err := answer.Location(); err == nil && u.Host != "" {
			where = "to " + u.Host
		}
		return fmt.Errorf("%s redirects %s, which is not followed: give the address that it redirects to (%s)", request.URL.Host, where, answer.Status)
	}
	return fmt.Errorf("%s answered %s", request.URL.Host, answer.Status)
}

// urlOf is the address of a channel.
func urlOf(c *notifyfile.Channel) (*url.URL, error) {
	if c.URL != "" {
		return notifyfile.ParseURL(c.URL)
	}
	address, err := secretfile.Read(c.URLFile)
	if err != nil {
		return nil, fmt.Errorf("url_file: %w", err)
	}
	u, err := notifyfile.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.URLFile, err)
	}
	return u, nil
}

// tooLong says that a service took longer than it may.
func tooLong(err error) bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout()
}
