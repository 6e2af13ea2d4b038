package channel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"os"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/internal/secretfile"
)

// webhook posts messages, through its template or as JSON.
type webhook struct {
	*notifyfile.Channel

	template *Template
}

func (w *webhook) Send(ctx context.Context, m *message.Message) error {
	u, err := urlOf(w.Channel)
	if err != nil {
		return err
	}
	headers, err := readHeaders(w.HeaderFile)
	if err != nil {
		return err
	}
	body, kind, err := w.body(m)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return withoutAddress(err)
	}
	request.Header = headers
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Idempotency-Key", m.ID)
	return do(w.Channel, request)
}

// body returns the body of a request and its type.
func (w *webhook) body(m *message.Message) (body []byte, kind string, err error) {
	if w.template != nil {
		return w.template.Render(m), w.ContentType, nil
	}
	body, err = json.Marshal(m)
	return body, "application/json", err
}

// readTemplate reads the template of a channel, nil if it has none.
func readTemplate(c *notifyfile.Channel) (*Template, error) {
	if c.TemplateFile == "" {
		return nil, nil //nolint:nilnil // most have none
	}
	text, err := os.ReadFile(c.TemplateFile)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	t, err := ParseTemplate(string(text), c.ContentType)
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", c.TemplateFile, err)
	}
	return t, nil
}

// readHeaders reads a file with one header per line. Its errors do not quote it.
func readHeaders(path string) (http.Header, error) {
	headers := http.Header{}
	if path == "" {
		return headers, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("header_file: %w", err)
	}
	text, err := secretfile.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("header_file: %s %w", path, err)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok || name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || host.Printable(value) != value {
			return nil, errors.New("header_file: " + path + " has a line that is not NAME: VALUE")
		}
		headers.Set(textproto.CanonicalMIMEHeaderKey(name), value)
	}
	return headers, nil
}
