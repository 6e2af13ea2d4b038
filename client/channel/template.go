package channel

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/message"
)

// Template is the form of a webhook's body: a text with placeholders. {{subject}} inserts a
// value escaped for the content type, {{json problems}} inserts it as JSON. (text/template
// would add half to the size of this program.)
type Template struct {
	parts  []part
	escape func(string) string
}

// part is literal text, or a placeholder.
type part struct {
	text   string
	value  func(m *message.Message) any // nil for literal text
	asJSON bool
}

// places maps the placeholders to values of a message.
var places = map[string]func(m *message.Message) any{
	"id":       func(m *message.Message) any { return m.ID },
	"kind":     func(m *message.Message) any { return string(m.Kind) },
	"level":    func(m *message.Message) any { return string(m.Level) },
	"host":     func(m *message.Message) any { return m.Host },
	"time":     func(m *message.Message) any { return m.At.UTC().Format(time.RFC3339) },
	"subject":  func(m *message.Message) any { return m.Subject },
	"text":     func(m *message.Message) any { return m.Text },
	"html":     func(m *message.Message) any { return m.HTML },
	"problems": func(m *message.Message) any { return m.Problems },
}

// ParseTemplate parses a template for a content type, and tries it on a sample.
func ParseTemplate(text, contentType string) (*Template, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, fmt.Errorf("content_type %q: %w", contentType, err)
	}
	t := &Template{escape: func(text string) string { return text }}
	isJSON := kind == "application/json" || strings.HasSuffix(kind, "+json")
	switch {
	case isJSON:
		t.escape = escapeJSON
	case kind == "application/x-www-form-urlencoded":
		t.escape = url.QueryEscape
	}
	line := 1
	for text != "" {
		before, rest, found := strings.Cut(text, "{{")
		t.parts = append(t.parts, part{text: before})
		line += strings.Count(before, "\n")
		if !found {
			break
		}
		place, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return nil, fmt.Errorf("line %d: {{ has no }} behind it", line)
		}
		p, err := parsePlace(place)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		t.parts = append(t.parts, p)
		line += strings.Count(place, "\n")
		text = after
	}
	if isJSON && !json.Valid(t.Render(sample())) {
		return nil, errors.New("with a message in it, it is not JSON: places such as {{subject}} belong in strings, and {{json problems}} outside of them")
	}
	return t, nil
}

func parsePlace(text string) (part, error) {
	words := strings.Fields(text)
	asJSON := len(words) == 2 && words[0] == "json"
	if asJSON {
		words = words[1:]
	}
	if len(words) != 1 || places[words[0]] == nil {
		return part{}, fmt.Errorf("there is no {{%s}}: use one of %s, with json before it for the value as JSON", strings.TrimSpace(text), strings.Join(slices.Sorted(maps.Keys(places)), ", "))
	}
	return part{value: places[words[0]], asJSON: asJSON}, nil
}

// sample is a message with everything that could break a template.
func sample() *message.Message {
	return &message.Message{
		ID: "x", Kind: message.Test, Level: message.Good, Host: "h", Subject: "a \"quoted\" \\ word\n", Text: "two\nlines\t\"", HTML: "<p title=\"x\">&amp;</p>",
		Problems: []message.Problem{{Module: "m\"1", What: "it\nfails"}},
	}
}

// Render fills in the template.
func (t *Template) Render(m *message.Message) []byte {
	var b strings.Builder
	for _, p := range t.parts {
		if p.value == nil {
			b.WriteString(p.text)
			continue
		}
		value := p.value(m)
		text, isText := value.(string)
		switch {
		case p.asJSON || !isText:
			encoded := encode(value)
			if !p.asJSON {
				encoded = t.escape(encoded)
			}
			b.WriteString(encoded)
		default:
			b.WriteString(t.escape(text))
		}
	}
	return []byte(b.String())
}

func encode(value any) string {
	text, _ := json.Marshal(value) // strings and lists of them
	return string(text)
}

// escapeJSON escapes a text for use within a JSON string.
func escapeJSON(text string) string {
	return strings.TrimSuffix(strings.TrimPrefix(encode(text), `"`), `"`)
}
