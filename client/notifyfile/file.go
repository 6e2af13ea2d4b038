package notifyfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/secretfile"
)

// DefaultPath is the path of the file, unless $GATEWAYCTL_NOTIFY_CONFIG or an option
// overrides it.
const DefaultPath = "/etc/rclone-gateway/notify.conf"

// mostBytes bounds the size of the file.
const mostBytes = 256 << 10

// File is the content of notify.conf.
type File struct {
	// Path is where the file was read.
	Path string
	// Name is the name of this installation in messages.
	Name   string
	Digest Digest
	// Collect is the time within which failures share a message; 0 sends each at once.
	Collect  time.Duration
	Hooks    Hooks
	Channels []Channel
	// Wrong lists the mistakes, with line numbers; the affected sections are left out.
	Wrong []error
}

// Kind is a kind of channel.
type Kind string

// The kinds.
const (
	Mail         Kind = "mail"
	Webhook      Kind = "webhook"
	Ntfy         Kind = "ntfy"
	Healthchecks Kind = "healthchecks"
)

// Channel is a channel for messages to people.
type Channel struct {
	Kind Kind
	// Name is the name of its section: "mail", "mail office".
	Name string
	// Failures and Digest select what goes over it. Healthchecks only gets pings.
	Failures, Digest bool

	From, Server, Security, User, Sendmail string // mail
	To                                     []string
	PasswordFile, CAFile                   string

	URL, URLFile, TokenFile               string // those over HTTP
	TemplateFile, ContentType, HeaderFile string // webhook
	Schedule                              string // healthchecks: only this schedule, "" for all
}

// Hooks say how the programs before and after runs are called.
type Hooks struct {
	// Dir holds them, in the subdirectories before, after and failure.
	Dir string
	// Limit is how long each may take.
	Limit time.Duration
	// Warn lets a run continue after a failed program before it.
	Warn bool
}

// Defaults.
const (
	DefaultHooksDir  = "/etc/rclone-gateway/hooks.d"
	DefaultHookLimit = 10 * time.Minute
	DefaultCollect   = time.Minute
)

func newFile(path string) *File {
	return &File{
		Path: path, Digest: Digest{When: DefaultDigest}, Collect: DefaultCollect,
		Hooks: Hooks{Dir: DefaultHooksDir, Limit: DefaultHookLimit},
	}
}

// Path returns the path of the file; path overrides it.
func Path(env *host.Environment, path string) string {
	if path != "" {
		return path
	}
	if named, _ := env.Lookup("GATEWAYCTL_NOTIFY_CONFIG"); named != "" {
		return named
	}
	return DefaultPath
}

// Read reads the file. If it does not exist, Read returns a File without channels, and an
// error that is [fs.ErrNotExist].
func Read(path string) (*File, error) {
	f := newFile(path)
	text, err := readText(path)
	if err != nil {
		return f, err
	}
	f.parse(text)
	return f, nil
}

// readText reads the file. Only its owner may be able to write it, since it decides which
// programs run.
func readText(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a file", path)
	case info.Mode().Perm()&0o022 != 0:
		return "", fmt.Errorf("%s can be written by others, who could have anything run: take that right away (chmod go-w %[1]s)", path)
	}
	data, err := io.ReadAll(io.LimitReader(file, mostBytes+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > mostBytes {
		return "", fmt.Errorf("%s is larger than such a file may be", path)
	}
	text, err := secretfile.Decode(data)
	if err != nil {
		return "", fmt.Errorf("%s %w", path, err)
	}
	return text, nil
}

// Missing reports whether an error of [Read] says that there is no file.
func Missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// For returns the names of the channels that choose accepts.
func (f *File) For(choose func(c *Channel) bool) []string {
	var names []string
	for i := range f.Channels {
		if choose(&f.Channels[i]) {
			names = append(names, f.Channels[i].Name)
		}
	}
	return names
}

// section is a section of the file with its lines.
type section struct {
	kind, name string
	line       int
	keys       []keyLine
}

type keyLine struct {
	key, value string
	line       int
}

// parse parses the text.
func (f *File) parse(text string) {
	for _, s := range f.sections(text) {
		set := settings(f, &s)
		if set == nil {
			f.wrong(s.line, "there is no section [%s]: use general, digest, failures, hooks, mail, webhook, ntfy or healthchecks", s.kind)
			continue
		}
		if errs := s.apply(set.keys); len(errs) > 0 {
			f.Wrong = append(f.Wrong, errs...)
			continue
		}
		if err := set.done(); err != nil {
			f.wrong(s.line, "[%s]: %w", s.name, err)
		}
	}
}

func (f *File) wrong(line int, format string, args ...any) {
	f.Wrong = append(f.Wrong, fmt.Errorf("line %d: "+format, append([]any{line}, args...)...))
}

// sections splits the text into sections.
func (f *File) sections(text string) (all []section) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			name := strings.Join(strings.Fields(strings.Trim(line, "[]")), " ")
			if line[len(line)-1] != ']' || name == "" || host.Printable(name) != name {
				f.wrong(number, "a section is a name in brackets, such as [mail]")
				name = "?"
			}
			if slices.ContainsFunc(all, func(s section) bool { return s.name == name }) {
				f.wrong(number, "there are two sections [%s]: give the second a name, such as [%[1]s office]", name)
			}
			kind, _, _ := strings.Cut(name, " ")
			all = append(all, section{kind: kind, name: name, line: number})
		case len(all) == 0:
			f.wrong(number, "it is in no section: begin with one, such as [mail]")
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok {
				f.wrong(number, "it has no \"=\": write KEY = VALUE")
				continue
			}
			s := &all[len(all)-1]
			s.keys = append(s.keys, keyLine{strings.TrimSpace(key), strings.TrimSpace(value), number})
		}
	}
	return slices.DeleteFunc(all, func(s section) bool { return s.kind == "?" })
}

// apply applies the lines of a section.
func (s *section) apply(keys map[string]func(string) error) (errs []error) {
	seen := map[string]bool{}
	for _, k := range s.keys {
		set := keys[k.key]
		switch {
		case set == nil:
			errs = append(errs, fmt.Errorf("line %d: [%s] has no %q: use one of %s", k.line, s.name, host.Printable(k.key), strings.Join(sortedKeys(keys), ", ")))
		case seen[k.key]:
			errs = append(errs, fmt.Errorf("line %d: %s is given twice", k.line, k.key))
		case k.value == "" || host.Printable(k.value) != k.value:
			errs = append(errs, fmt.Errorf("line %d: %s has no value, or one with control characters", k.line, k.key))
		default:
			if err := set(k.value); err != nil {
				errs = append(errs, fmt.Errorf("line %d: %s: %w", k.line, k.key, err))
			}
		}
		seen[k.key] = true
	}
	return errs
}
