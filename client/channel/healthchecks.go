package channel

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
)

// healthchecks is a dead-man's switch: it raises the alarm when success messages stop.
type healthchecks struct{ *notifyfile.Channel }

// Send pings if the message is a signal. Any other message becomes a line in the switch's
// log.
func (h healthchecks) Send(ctx context.Context, m *message.Message) error {
	u, err := urlOf(h.Channel)
	if err != nil {
		return err
	}
	end, body := "/log", m.Text
	if s := m.Signal; s != nil {
		end = map[message.State]string{message.Started: "/start", message.Succeeded: "", message.Failed: "/fail"}[s.State]
		body = s.Log
		query := u.Query()
		query.Set("rid", s.Run)
		u.RawQuery = query.Encode()
	}
	u = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/") + end, RawQuery: u.RawQuery}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(body))
	if err != nil {
		return withoutAddress(err)
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	return do(h.Channel, request)
}
