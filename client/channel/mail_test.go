package channel_test

import (
	"context"
	"crypto/tls"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/channel"
	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/internal/mailtest"
	"github.com/rclone-gateway/rclone-gateway/internal/testcert"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

const password = "correct-horse-battery"

// hostile is a name as nobody should give a module.
const hostile = "mail1\r\nBcc: thief@example.org\r\n\r\n<script>alert(1)</script> \"é\" {{subject}}"

// news is a message with hostile names.
func news() *message.Message {
	r := &message.Report{Kind: message.Failures, Level: message.Bad, Host: "office", At: time.Date(2026, 11, 30, 7, 0, 0, 0, time.UTC), Verdict: hostile + " failed"}
	r.Add("Fails", []message.Row{{Level: message.Bad, Title: hostile, Detail: "no space left on device"}})
	r.Problems = []message.Problem{{Module: hostile, What: "no space left on device"}}
	return r.Compose("20261130T070000Z-failures-1-1", message.NewCleaner())
}

// parse reads a file of channels, which has one.
func parse(t *testing.T, text string) *notifyfile.Channel {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify.conf")
	write(t, path, text)
	f, err := notifyfile.Read(path)
	if err != nil || len(f.Wrong) > 0 || len(f.Channels) != 1 {
		t.Fatalf("%v %v", err, f.Wrong)
	}
	return &f.Channels[0]
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func secret(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	write(t, path, text+"\n")
	return path
}

func send(t *testing.T, c *notifyfile.Channel) error {
	t.Helper()
	s, wrong := channel.Open(c)
	if wrong != nil {
		t.Fatal(wrong)
	}
	return s.Send(t.Context(), news())
}

func TestMailGoesOverTLSToAServerThatWantsAPassword(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t)
	pair, err := tls.LoadX509KeyPair(ca.Issue(t, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	for _, security := range []string{"starttls", "tls"} {
		server := mailtest.Start(t, config, security == "tls")
		server.User, server.Password = "backup", password
		conf := "[mail]\nto = Ann <ann@example.org>, bob@example.org\nfrom = backup@example.org\nserver = " + server.Addr + "\nsecurity = " + security +
			"\nuser = backup\npassword_file = " + secret(t, password) + "\n"
		if err := send(t, parse(t, conf+"ca_file = "+ca.CA+"\n")); err != nil {
			t.Fatalf("%s: %v", security, err)
		}
		letters := server.Letters()
		if len(letters) != 1 || strings.Join(letters[0].To, " ") != "ann@example.org bob@example.org" {
			t.Fatalf("%s: it took %+v", security, letters)
		}
		wantLetter(t, &letters[0])

		if err := send(t, parse(t, conf)); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: from a server whose certificate is unknown: %v", security, err)
		}
		server.Password = "another"
		if err := send(t, parse(t, conf+"ca_file = "+ca.CA+"\n")); err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%s: with a wrong password: %v", security, err)
		}
	}
	plain := mailtest.Start(t, nil, false)
	if err := send(t, parse(t, "[mail]\nto = a@example.org\nfrom = b@example.org\nserver = "+plain.Addr+"\n")); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("to a server without TLS: %v", err)
	}
}

// wantLetter wants the message in a mail: whole, in two forms, and nothing of a name in a
// header of its own.
func wantLetter(t *testing.T, letter *mailtest.Letter) {
	t.Helper()
	m, err := letter.Parse()
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || !strings.HasPrefix(subject, "Backups of office: mail1  Bcc: thief@example.org") {
		t.Errorf("the subject is %q, %v", subject, err)
	}
	for name, want := range map[string]string{
		"Bcc": "", "Auto-Submitted": "auto-generated", "Message-Id": "<20261130T070000Z-failures-1-1@example.org>", "Date": "Mon, 30 Nov 2026 07:00:00 +0000",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	var bodies []string
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, strings.ReplaceAll(string(body), "\r\n", "\n"))
	}
	want := news()
	if len(bodies) != 2 || bodies[0] != want.Text || bodies[1] != want.HTML {
		t.Errorf("the bodies are %q", bodies)
	}
	if strings.Contains(want.HTML, "<script") {
		t.Errorf("a name is markup: %s", want.HTML)
	}
}

func TestAServerThatRefusesIsQuoted(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, nil, false)
	c := parse(t, "[mail]\nto = a@example.org\nfrom = b@example.org\nsecurity = none\nserver = "+server.Addr+"\n")
	server.Answer(mailtest.Later, mailtest.Never)
	for _, want := range []string{"451", "550"} {
		if err := send(t, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := send(t, c); err != nil || len(server.Letters()) != 1 {
		t.Errorf("%v, and it took %d", err, len(server.Letters()))
	}
}

// TestAServerThatHangsIsCutOff takes the connection and says nothing, and then something.
func TestAServerThatHangsIsCutOff(t *testing.T) {
	t.Parallel()
	for _, greeting := range []string{"", "220 slow ESMTP\r\n"} {
		address := testenv.ServeConnections(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, greeting)
			<-t.Context().Done()
		})
		s, _ := channel.Open(parse(t, "[mail]\nto = a@example.org\nfrom = b@example.org\nsecurity = none\nserver = "+address+"\n"))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := s.Send(ctx, news())
		cancel()
		if err == nil || !strings.Contains(err.Error(), "did not answer") {
			t.Errorf("with the greeting %q: %v", greeting, err)
		}
	}
}

func TestSendmailGetsTheMailAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "sendmail")
	if err := os.WriteFile(program, []byte("#!/bin/sh\ncat >"+dir+"/letter; env >"+dir+"/env; echo \"$@\" >"+dir+"/args; echo warned >&2; test ! -e "+dir+"/full || { echo queue is full >&2; exit 75; }\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := parse(t, "[mail]\nto = a@example.org\nfrom = b@example.org\nsendmail = "+program+"\n")
	if err := send(t, c); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	wantLetter(t, &mailtest.Letter{Raw: strings.ReplaceAll(read("letter"), "b@example.org", "backup@example.org")})
	if args := read("args"); args != "-i -t\n" {
		t.Errorf("its arguments are %q", args)
	}
	if env := read("env"); strings.Contains(env, "HOME") {
		t.Errorf("its environment is %s", env)
	}
	write(t, filepath.Join(dir, "full"), "")
	if err := send(t, c); err == nil || !strings.Contains(err.Error(), "queue is full") {
		t.Errorf("it failed, and %v", err)
	}
}
