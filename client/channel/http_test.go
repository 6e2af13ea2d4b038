package channel_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/channel"
	"github.com/rclone-gateway/rclone-gateway/client/message"
)

// service keeps what it was sent, and answers what it is told to.
type service struct {
	*httptest.Server

	mu       sync.Mutex
	requests []request
	answer   http.HandlerFunc
}

type request struct {
	method, path, query, body string
	header                    http.Header
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.requests = append(s.requests, request{r.Method, r.URL.Path, r.URL.RawQuery, string(body), r.Header})
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// last is what it was sent last.
func (s *service) last(t *testing.T) request {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		t.Fatal("it was sent nothing")
	}
	return s.requests[len(s.requests)-1]
}

func TestAWebhookGetsTheFormOfItsTemplate(t *testing.T) {
	t.Parallel()
	s := newService(t)
	template := filepath.Join(t.TempDir(), "template")
	write(t, template, `{"text": "*{{subject}}*\n{{ text }}", "problems": {{json problems}}}`)
	headers := secret(t, "Authorization: Bearer "+password+"\n\nX-Team: ops")
	if err := send(t, parse(t, "[webhook]\nurl_file = "+secret(t, s.URL+"/hook/"+password)+"\ntemplate = "+template+"\nheader_file = "+headers+"\n")); err != nil {
		t.Fatal(err)
	}
	got := s.last(t)
	var body struct {
		Text     string
		Problems []message.Problem
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	m := news()
	if body.Text != "*"+m.Subject+"*\n"+m.Text || len(body.Problems) != 1 || body.Problems[0] != m.Problems[0] {
		t.Errorf("it got %s", got.body)
	}
	if got.method != http.MethodPost || got.header.Get("Authorization") != "Bearer "+password || got.header.Get("X-Team") != "ops" || got.header.Get("Idempotency-Key") != m.ID {
		t.Errorf("it got %+v", got)
	}
	write(t, template, "title={{subject}}&level={{level}}")
	if err := send(t, parse(t, "[webhook]\nurl = "+s.URL+"\ntemplate = "+template+"\ncontent_type = application/x-www-form-urlencoded\n")); err != nil {
		t.Fatal(err)
	}
	if got := s.last(t).body; !strings.HasPrefix(got, "title=Backups+of+office%3A+mail1++Bcc%3A+thief%40example.org") || !strings.HasSuffix(got, "&level=bad") {
		t.Errorf("it got %s", got)
	}
}

func TestWithoutATemplateAWebhookGetsEverything(t *testing.T) {
	t.Parallel()
	s := newService(t)
	if err := send(t, parse(t, "[webhook]\nurl = "+s.URL+"\n")); err != nil {
		t.Fatal(err)
	}
	var m message.Message
	if err := json.Unmarshal([]byte(s.last(t).body), &m); err != nil || m.Text != news().Text {
		t.Errorf("%v: %+v", err, m)
	}
}

func TestATemplateWithAnErrorIsNamedAndLosesNoMessage(t *testing.T) {
	t.Parallel()
	s := newService(t)
	template := filepath.Join(t.TempDir(), "template")
	for text, want := range map[string]string{
		`{"text": "{{subject}"}`:            "line 1: {{ has no }}",
		"{\n\"text\": \"{{sbject}}\"}":      "line 2: there is no {{sbject}}",
		`{"text": {{subject}}}`:             "it is not JSON",
		`{"text": "{{json problems}}"}`:     "it is not JSON",
		`{"text": "{{range problems}}x"}`:   "there is no {{range problems}}",
		`{"text": "{{subject}}", "more": }`: "it is not JSON",
	} {
		write(t, template, text)
		sender, wrong := channel.Open(parse(t, "[webhook]\nurl = "+s.URL+"\ntemplate = "+template+"\n"))
		if wrong == nil || !strings.Contains(wrong.Error(), want) {
			t.Errorf("%s: %v, want %s", text, wrong, want)
		}
		if err := sender.Send(t.Context(), news()); err != nil || !strings.Contains(s.last(t).body, `"subject"`) {
			t.Errorf("%s: %v, and it got %s", text, err, s.last(t).body)
		}
	}
}

func TestNtfyGetsWhatItsDocumentationSays(t *testing.T) {
	t.Parallel()
	s := newService(t)
	if err := send(t, parse(t, "[ntfy]\nurl = "+s.URL+"/sub/backups\ntoken_file = "+secret(t, password)+"\n")); err != nil {
		t.Fatal(err)
	}
	got := s.last(t)
	var body struct {
		Topic, Title, Message string
		Priority              int
		Tags                  []string
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	m := news()
	if got.path != "/sub/" || body.Topic != "backups" || body.Title != m.Subject || body.Message != m.Text || body.Priority != 4 || len(body.Tags) != 1 || got.header.Get("Authorization") != "Bearer "+password {
		t.Errorf("it got %+v", got)
	}
}

func TestHealthchecksGetsWhatItsDocumentationSays(t *testing.T) {
	t.Parallel()
	s := newService(t)
	sender, err := channel.Open(parse(t, "[healthchecks]\nurl = "+s.URL+"/4f3a\n"))
	if err != nil {
		t.Fatal(err)
	}
	for state, path := range map[message.State]string{message.Started: "/4f3a/start", message.Succeeded: "/4f3a", message.Failed: "/4f3a/fail"} {
		m := &message.Message{Kind: message.Ping, Signal: &message.Signal{State: state, Run: "e2d1", Log: "app1: backup done"}}
		if err := sender.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if got := s.last(t); got.method != http.MethodPost || got.path != path || got.query != "rid=e2d1" || got.body != "app1: backup done" {
			t.Errorf("%s: it got %+v", state, got)
		}
	}
	if err := sender.Send(t.Context(), news()); err != nil || s.last(t).path != "/4f3a/log" {
		t.Errorf("a message went to %s, %v", s.last(t).path, err)
	}
}

// TestAServiceThatMisbehaves has each fault, and wants an error without the address, which
// is a secret.
func TestAServiceThatMisbehaves(t *testing.T) {
	t.Parallel()
	other := newService(t)
	s := newService(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"answers 500": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "500"},
		"redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}, "redirects to " + strings.TrimPrefix(other.URL, "http://")},
		"redirects to itself": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }, "redirects"},
		"hangs": {func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-release:
			}
		}, "did not answer within 30s"},
	} {
		s.mu.Lock()
		s.answer, s.requests = c.answer, nil
		s.mu.Unlock()
		sender, _ := channel.Open(parse(t, "[webhook]\nurl_file = "+secret(t, s.URL+"/"+password)+"\n"))
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if name != "hangs" {
			ctx = t.Context()
		}
		err := sender.Send(ctx, news())
		cancel()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), password) {
			t.Errorf("one that %s: %v", name, err)
		}
		s.mu.Lock()
		if len(s.requests) != 1 {
			t.Errorf("one that %s was asked %d times", name, len(s.requests))
		}
		s.mu.Unlock()
	}
	if len(other.requests) > 0 {
		t.Error("a redirect was followed")
	}
	address := s.URL
	s.Close()
	sender, _ := channel.Open(parse(t, "[webhook]\nurl_file = "+secret(t, address+"/"+password)+"\n"))
	if err := sender.Send(t.Context(), news()); err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("one that is away: %v", err)
	}
}
