package channel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/internal/secretfile"
)

// mostNtfy bounds a message: ntfy turns longer ones into attachments.
const mostNtfy = 3500

// ntfy publishes messages to a topic, as JSON so that no text gets into a header.
type ntfy struct{ *notifyfile.Channel }

func (n ntfy) Send(ctx context.Context, m *message.Message) error {
	u, err := urlOf(n.Channel)
	if err != nil {
		return err
	}
	topic := path.Base(u.Path)
	if topic == "/" || topic == "." {
		return errors.New("the address has no topic: it is such as https://ntfy.sh/TOPIC")
	}
	u.Path, u.RawPath = strings.TrimSuffix(path.Dir(strings.TrimSuffix(u.Path, "/")), "/")+"/", ""
	level := levels[m.Level]
	body, err := json.Marshal(map[string]any{"topic": topic, "title": m.Subject, "message": short(m.Text, mostNtfy), "priority": level.priority, "tags": []string{level.tag}})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return withoutAddress(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if n.TokenFile != "" {
		token, err := secretfile.Read(n.TokenFile)
		if err != nil {
			return fmt.Errorf("token_file: %w", err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return do(n.Channel, request)
}

// levels maps levels to ntfy's priorities, 1 to 5, and tags.
var levels = map[message.Level]struct {
	priority int
	tag      string
}{message.Good: {3, "white_check_mark"}, message.Warning: {3, "warning"}, message.Bad: {4, "rotating_light"}}

// short cuts a text to so many bytes.
func short(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
