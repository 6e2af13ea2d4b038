package notifyfile

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/mail"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// setting says how a section is read: its keys, and a check once all of them are set.
type setting struct {
	keys map[string]func(text string) error
	done func() error
}

func nothing() error { return nil }

// settings returns the setting for a section, nil for an unknown one.
func settings(f *File, s *section) *setting {
	switch s.kind {
	case "general":
		return &setting{map[string]func(string) error{"name": text(&f.Name)}, nothing}
	case "digest":
		return &setting{map[string]func(string) error{"when": f.Digest.set}, nothing}
	case "failures":
		return &setting{map[string]func(string) error{"collect": limit(&f.Collect, 0)}, nothing}
	case "hooks":
		return &setting{map[string]func(string) error{"dir": path(&f.Hooks.Dir), "limit": limit(&f.Hooks.Limit, time.Second), "on_before_failure": f.Hooks.setFailure}, nothing}
	}
	c := &Channel{Kind: Kind(s.kind), Name: s.name, Failures: Kind(s.kind) != Healthchecks, Digest: Kind(s.kind) != Healthchecks}
	keys := c.keys()
	if keys == nil {
		return nil
	}
	return &setting{keys, func() error {
		if err := c.check(); err != nil {
			return err
		}
		f.Channels = append(f.Channels, *c)
		return nil
	}}
}

// keys returns the keys of a channel of its kind.
func (c *Channel) keys() map[string]func(string) error {
	switch c.Kind {
	case Mail:
		return map[string]func(string) error{
			"send": c.setSend, "to": c.setTo, "from": address(&c.From), "server": text(&c.Server), "security": oneOf(&c.Security, StartTLS, TLS, NoTLS),
			"user": text(&c.User), "password_file": path(&c.PasswordFile), "ca_file": path(&c.CAFile), "sendmail": path(&c.Sendmail),
		}
	case Webhook:
		return map[string]func(string) error{
			"send": c.setSend, "url": c.setURL, "url_file": path(&c.URLFile), "header_file": path(&c.HeaderFile), "ca_file": path(&c.CAFile),
			"template": path(&c.TemplateFile), "content_type": text(&c.ContentType),
		}
	case Ntfy:
		return map[string]func(string) error{"send": c.setSend, "url": c.setURL, "url_file": path(&c.URLFile), "token_file": path(&c.TokenFile), "ca_file": path(&c.CAFile)}
	case Healthchecks:
		return map[string]func(string) error{"url": c.setURL, "url_file": path(&c.URLFile), "ca_file": path(&c.CAFile), "schedule": text(&c.Schedule)}
	}
	return nil
}

// How mail is encrypted in transit.
const (
	StartTLS = "starttls"
	TLS      = "tls"
	NoTLS    = "none"
)

// DefaultSendmail is the program for mail without a server.
const DefaultSendmail = "/usr/sbin/sendmail"

// check checks a channel as a whole, and sets defaults.
func (c *Channel) check() error {
	if c.Kind == Mail {
		return c.checkMail()
	}
	if (c.URL == "") == (c.URLFile == "") {
		return errors.New("give one of url and url_file, a file with the address, which is a secret with most services")
	}
	if c.ContentType == "" {
		c.ContentType = "application/json"
	}
	return nil
}

func (c *Channel) checkMail() error {
	switch {
	case len(c.To) == 0 || c.From == "":
		return errors.New("give to and from")
	case c.Server != "" && c.Sendmail != "":
		return errors.New("give one of server and sendmail")
	case c.Server == "" && (c.User != "" || c.Security != "" || c.CAFile != ""):
		return errors.New("user, security and ca_file are of a server: give it")
	case (c.User == "") != (c.PasswordFile == ""):
		return errors.New("give user and password_file, or neither of them")
	case c.Server == "":
		if c.Sendmail == "" {
			c.Sendmail = DefaultSendmail
		}
		return nil
	}
	if c.Security == "" {
		c.Security = StartTLS
	}
	name, _, err := net.SplitHostPort(c.Server)
	if err != nil {
		name = c.Server
		port := map[string]string{StartTLS: "587", TLS: "465", NoTLS: "25"}[c.Security]
		c.Server = net.JoinHostPort(strings.Trim(name, "[]"), port)
	}
	if ip := net.ParseIP(name); c.User != "" && c.Security == NoTLS && name != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("a password is not sent without TLS, unless to this host")
	}
	return nil
}

func (c *Channel) setSend(words string) error {
	c.Failures, c.Digest = false, false
	for word := range strings.SplitSeq(words, ",") {
		switch strings.TrimSpace(word) {
		case "failures":
			c.Failures = true
		case "digest":
			c.Digest = true
		default:
			return fmt.Errorf("%q is not one of failures and digest", strings.TrimSpace(word))
		}
	}
	return nil
}

func (c *Channel) setTo(words string) error {
	list, err := mail.ParseAddressList(words)
	if err != nil {
		return errors.New("it is not a list of mail addresses, separated by commas")
	}
	for _, a := range list {
		c.To = append(c.To, a.String())
	}
	return nil
}

func (c *Channel) setURL(text string) error {
	if _, err := ParseURL(text); err != nil {
		return err
	}
	c.URL = text
	return nil
}

// ParseURL parses the address of a service. The error does not quote it, since it may be a
// secret.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("it is not an address such as https://example.org/path")
	}
	if u.User != nil {
		return nil, errors.New("it holds a user: give a token or a header in a file instead")
	}
	return u, nil
}

func (h *Hooks) setFailure(word string) error {
	var how string
	err := oneOf(&how, "fail", "warn")(word)
	h.Warn = how == "warn"
	return err
}

func text(to *string) func(string) error {
	return func(text string) error {
		*to = text
		return nil
	}
}

func path(to *string) func(string) error {
	return func(text string) error {
		if !filepath.IsAbs(text) {
			return errors.New("it is not the absolute path of a file")
		}
		*to = filepath.Clean(text)
		return nil
	}
}

func address(to *string) func(string) error {
	return func(text string) error {
		a, err := mail.ParseAddress(text)
		if err != nil {
			return errors.New("it is not a mail address")
		}
		*to = a.String()
		return nil
	}
}

func limit(to *time.Duration, least time.Duration) func(string) error {
	return func(text string) error {
		d, err := time.ParseDuration(text)
		if err != nil || d < least {
			return fmt.Errorf("it is not a time such as 10m, from %v on", least)
		}
		*to = d
		return nil
	}
}

func oneOf(to *string, words ...string) func(string) error {
	return func(text string) error {
		if !slices.Contains(words, text) {
			return fmt.Errorf("%q is not one of %s", text, strings.Join(words, ", "))
		}
		*to = text
		return nil
	}
}

func sortedKeys(keys map[string]func(string) error) []string { return slices.Sorted(maps.Keys(keys)) }
