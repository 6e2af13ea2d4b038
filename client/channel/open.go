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

// tryFor bounds one attempt to send.
const tryFor = 30 * time.Second

// Sender sends a message. Its errors are safe to show.
type Sender interface {
	Send(ctx context.Context, m *message.Message) error
}

// Open returns the channel. If its template is unusable, wrong says why, and messages go
// out in the default form.
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

// Secrets returns the readable secrets of a channel, so that messages can be kept free of
// them.
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

// client never follows redirects: a message goes to the address that the administrator
// gave, and nowhere else.
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

// do sends a request. It ignores the answer's body, which could repeat the request.
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

// urlOf returns the address of a channel.
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

// tooLong returns the error for a service that exceeded its time.
func tooLong(err error) bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout()
}
