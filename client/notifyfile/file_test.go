package notifyfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
)

func read(t *testing.T, text string) *notifyfile.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := notifyfile.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAFileIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	f := read(t, `# as people write it
[general]
name = The office

[digest]
when = Mon..Fri 06:30

[hooks]
dir = /srv/hooks
limit = 90s
on_before_failure = warn

[mail]
to = Ann <ann@example.org>, bob@example.org
from = backup@example.org
server = mail.example.org

[webhook chat]
send = failures
url_file = /etc/rclone-gateway/chat
`)
	if len(f.Wrong) > 0 || len(f.Channels) != 2 {
		t.Fatalf("%v, %+v", f.Wrong, f.Channels)
	}
	mail, chat := f.Channels[0], f.Channels[1]
	if f.Name != "The office" || f.Hooks != (notifyfile.Hooks{Dir: "/srv/hooks", Limit: 90 * time.Second, Warn: true}) {
		t.Errorf("%+v", f)
	}
	if mail.Server != "mail.example.org:587" || mail.Security != notifyfile.StartTLS || len(mail.To) != 2 || !mail.Failures || !mail.Digest {
		t.Errorf("%+v", mail)
	}
	if chat.Name != "webhook chat" || !chat.Failures || chat.Digest || chat.ContentType != "application/json" {
		t.Errorf("%+v", chat)
	}
	friday := time.Date(2026, 11, 27, 7, 0, 0, 0, time.Local)
	if next := f.Digest.Next(friday); !next.Equal(time.Date(2026, 11, 30, 6, 30, 0, 0, time.Local)) {
		t.Errorf("the next digest is due at %v", next)
	}
}

// TestAMistakeIsNamedAndTheRestWorks has one mistake in each file, beside a channel.
func TestAMistakeIsNamedAndTheRestWorks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[mial]\nto = a@b.example\n":                    "line 4: there is no section [mial]",
		"[mail]\nto = a@b.example\n":                    "line 4: [mail]: give to and from",
		"[mail]\ntoo = a@b.example\n":                   `line 5: [mail] has no "too"`,
		"[mail]\nto = a@b.example\nto = b@b.example\n":  "line 6: to is given twice",
		"[mail]\nto = nobody\n":                         "line 5: to: it is not a list of mail addresses",
		"[mail]\nto\n":                                  `line 5: it has no "="`,
		"[mail]\nto =\n":                                "line 5: to has no value",
		"[mail\nto = a@b.example\n":                     "line 4: a section is a name in brackets",
		"[ntfy]\nurl = https://ntfy.sh/y\n":             "line 4: there are two sections [ntfy]",
		"[webhook]\n":                                   "give one of url and url_file",
		"[webhook]\nurl = ftp://x.example\n":            "it is not an address such as",
		"[webhook]\nurl = https://u:secret@x.example\n": "it holds a user",
		"[webhook]\nurl_file = chat\n":                  "it is not the absolute path of a file",
		"[digest]\nwhen = sometimes\n":                  "line 5: when:",
		"[hooks]\nlimit = long\n":                       "it is not a time such as 10m",
		"[hooks]\non_before_failure = panic\n":          `"panic" is not one of fail, warn`,
		"[mail]\nto = a@b.example\nfrom = a@b.example\nserver = m.example\nsend = all\n":                                    `"all" is not one of failures and digest`,
		"[mail]\nto = a@b.example\nfrom = a@b.example\nserver = m.example\nuser = x\n":                                      "give user and password_file",
		"[mail]\nto = a@b.example\nfrom = a@b.example\nserver = m.example\nsecurity = none\nuser = x\npassword_file = /p\n": "a password is not sent without TLS",
		"[mail]\nto = a@b.example\nfrom = a@b.example\nserver = m.example\nsendmail = /s\n":                                 "give one of server and sendmail",
		"[mail]\nto = a@b.example\nfrom = a@b.example\nsecurity = tls\n":                                                    "are of a server",
		"[mail]\nto = a@b.example\nfrom = a@b.example\r\nserver = m.example\nsecurity = maybe\n":                            `"maybe" is not one of starttls, tls, none`,
		"[mail]\nto = a@b.example\nfrom = a@b.example, b@b.example\nserver = m.example\n":                                   "line 6: from: it is not a mail address",
		"[mail]\nto = a@b.example\nfrom = a@b.example\nserver = m.example\nuser = x\x01\npassword_file = /p\n":              "control characters",
		"[healthchecks]\nurl = https://hc-ping.com/x\nsend = digest\n":                                                      `[healthchecks] has no "send"`,
	} {
		f := read(t, "[ntfy]\nurl = https://ntfy.sh/x\n\n"+text)
		if len(f.Wrong) == 0 || !strings.Contains(f.Wrong[0].Error(), want) {
			t.Errorf("%q: %v, want %s", text, f.Wrong, want)
		}
		if len(f.Channels) == 0 || f.Channels[0].Kind != notifyfile.Ntfy {
			t.Errorf("%q: the other channel is lost", text)
		}
	}
}

func TestAFileThatOthersMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify.conf")
	if _, err := notifyfile.Read(path); !notifyfile.Missing(err) {
		t.Errorf("where there is none: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o662); err != nil {
		t.Fatal(err)
	}
	if _, err := notifyfile.Read(path); err == nil || !strings.Contains(err.Error(), "can be written by others") {
		t.Errorf("it was read: %v", err)
	}
}
