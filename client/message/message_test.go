package message_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/message"
)

func report() *message.Report {
	r := &message.Report{Kind: message.Digest, Level: message.Bad, Host: "office", At: time.Date(2026, 11, 30, 7, 0, 0, 0, time.Local), Verdict: "1 of 2 need attention", Lead: "It is so."}
	r.Add("Needs attention", []message.Row{{Level: message.Bad, Title: "app1 (nightly)", Detail: "backup failed", Note: "since Sunday"}})
	r.Add("Empty", nil)
	return r
}

func TestAReportBecomesATextAndAPage(t *testing.T) {
	t.Parallel()
	m := report().Compose("x", message.NewCleaner())
	if m.Subject != "Backups of office: 1 of 2 need attention" {
		t.Errorf("the subject is %q", m.Subject)
	}
	want := "1 of 2 need attention\nIt is so.\n\nNEEDS ATTENTION\n- app1 (nightly): backup failed\n  since Sunday\n\noffice, Mon 30 Nov 2026 07:00\n"
	if m.Text != want {
		t.Errorf("the text is\n%s\nwant\n%s", m.Text, want)
	}
	for _, part := range []string{`<meta name="viewport"`, ">app1 (nightly)</div>", ">Needs attention</h2>", "max-width:600px"} {
		if !strings.Contains(m.HTML, part) {
			t.Errorf("the page has no %s:\n%s", part, m.HTML)
		}
	}
	if strings.Contains(m.HTML, "Empty") || strings.Contains(m.HTML, "http") {
		t.Errorf("the page has an empty section, or loads something:\n%s", m.HTML)
	}
}

// TestNamesAreNeitherHeadersNorMarkup has names as nobody should give.
func TestNamesAreNeitherHeadersNorMarkup(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a\r\nBcc: x@example.org":    "a  Bcc: x@example.org",
		"a\u2028b\x00c\x7fd\u0085e":  "a b c d e",
		"\u202egnp.exe\u2066\ufeffé": "gnp.exeé",
		"bad\xffutf8":                "badutf8",
		"  spaces  ":                 "spaces",
	} {
		r := report()
		r.Verdict, r.Host, r.Lead = name, name, name
		r.Add("x", []message.Row{{Title: name, Detail: name, Note: name}})
		r.Problems = []message.Problem{{Module: name, Schedule: name, What: name}}
		m := r.Compose("x", message.NewCleaner())
		if m.Subject != "Backups of "+want+": "+want || m.Problems[0].Module != want || strings.ContainsAny(m.Subject, "\r\n") {
			t.Errorf("%q: %q, %+v", name, m.Subject, m.Problems)
		}
	}
	r := report()
	r.Verdict = `<img src=x onerror="alert(1)">&amp;`
	m := r.Compose("x", message.NewCleaner())
	if strings.Contains(m.HTML, "<img") || !strings.Contains(m.HTML, "&lt;img") {
		t.Errorf("a name is markup:\n%s", m.HTML)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	r := report()
	long := strings.Repeat("é", 10_000)
	var rows []message.Row
	for i := range 500 {
		rows = append(rows, message.Row{Title: fmt.Sprint(i, long), Detail: long, Note: long})
		r.Problems = append(r.Problems, message.Problem{What: long})
	}
	r.Add("Many", rows)
	r.Verdict = long
	m := r.Compose("x", message.NewCleaner())
	if len(m.Text) > 150_000 || len(m.HTML) > 250_000 || len(m.Problems) != 50 || len([]rune(m.Subject)) > 121 || !strings.Contains(m.Text, "and 450 more") {
		t.Errorf("%d, %d, %d, %q", len(m.Text), len(m.HTML), len(m.Problems), m.Subject)
	}
	if got := message.NewCleaner().Lines("a\nb\nc\n", 4); got != "b\nc" {
		t.Errorf("the last lines are %q", got)
	}
}

func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	c := message.NewCleaner("hunter2hunter2", "hunter2", "abc")
	for text, want := range map[string]string{
		"the password hunter2hunter2 and hunter2":          "the password *** and ***",
		"abc is too short to be looked for":                "abc is too short to be looked for",
		"dial rest:http://user:pa55@host/x: refused":       "dial rest:http://***@host/x: refused",
		`RESTIC_PASSWORD=s3cret token: "a b" secret='x y'`: "RESTIC_PASSWORD=*** token: *** secret=***",
		"GET https://s3/b?X-Amz-Signature=abcd&a=1":        "GET https://s3/b?X-Amz-Signature=***&a=1",
		"Authorization: Basic dXNlcjpwYXNz":                "Authorization: Basic ***",
		"restic: the password of the repository is wrong":  "restic: the password of the repository is wrong",
	} {
		if got := c.Line(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
