package setup

import (
	"bufio"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// options answer all questions, from flags or a file.
type options struct {
	file, dir, addr string
	modules         []string // NAME=DIR
	to              string   // a directory for backups
	name, when      string
	storage         storage
	yes, dryRun     bool
	noBackup        bool
}

// storage holds the options of "destination add" that describe the storage.
type storage struct {
	provider, url, conf, section, basePath, passwordFile string
	set, secretFiles                                     []string
}

func (o *options) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.file, "file", "", "`FILE` with options: lines of NAME = VALUE, the names being those of the options here")
	flags.StringVar(&o.dir, "dir", "", "keep all below `DIR`, and run it without systemd as who runs this (default: the system's directories and services)")
	flags.StringVar(&o.addr, "addr", defaultAddress, "with --dir: the gateway's `HOST:PORT`")
	flags.StringArrayVar(&o.modules, "module", nil, "back up a directory: `NAME=DIR`; may be repeated")
	flags.StringVar(&o.to, "to", "", "back up to the directory `DIR`, on another disk at best")
	flags.StringVar(&o.name, "name", "backups", "`NAME` of the destination")
	s := &o.storage
	flags.StringVar(&s.provider, "provider", "", "back up to the storage of this `PROVIDER`: this and the next seven options are those of \"destination add\"")
	flags.StringVar(&s.url, "url", "", "`URL` of the storage")
	flags.StringArrayVar(&s.set, "set", nil, "parameter `NAME=VALUE` of the provider that is no secret; may be repeated")
	flags.StringArrayVar(&s.secretFiles, "secret-file", nil, "secret parameter `NAME=FILE`; may be repeated")
	flags.StringVar(&s.conf, "conf", "", "`FILE` with a section of rclone.conf")
	flags.StringVar(&s.section, "section", "", "`NAME` of the section, where the file has several")
	flags.StringVar(&s.basePath, "base-path", "", "`PATH` on the remote below which backups go")
	flags.StringVar(&s.passwordFile, "password-file", "", "`FILE` with the password of the repositories (default: it is generated)")
	flags.StringVar(&o.when, "when", "daily", "`TIME` of the backups: as systemd's OnCalendar has it, such as daily or \"Mon..Fri 02:30\"")
	flags.BoolVar(&o.noBackup, "no-backup", false, "make no backup yet")
	flags.BoolVar(&o.yes, "yes", false, "do not ask before it begins")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show what would be done, and do nothing")
}

// readFile sets flags from a file, except those on the command line.
func readFile(sys *host.System, flags *pflag.FlagSet, name string) error {
	text, err := sys.ReadText(name)
	if err != nil {
		return err
	}
	given := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		option, value, ok := strings.Cut(line, "=")
		option, value = strings.TrimSpace(option), strings.TrimSpace(value)
		flag := flags.Lookup(option)
		if !ok || flag == nil || option == "file" || flag.Hidden {
			return exit.Failf(exit.Usage, "%s, line %d: it must be NAME = VALUE, the name being one of the options of this command", host.NameOfInput(name), n)
		}
		if given[option] {
			continue
		}
		if err := flags.Set(option, value); err != nil {
			return exit.Failf(exit.Usage, "%s, line %d: %s: %w", host.NameOfInput(name), n, option, err)
		}
	}
	return exit.With(exit.Usage, lines.Err())
}

// module is a directory to back up, and its name.
type module struct{ name, dir string }

// parseModule parses NAME=DIR.
func parseModule(text string) (module, error) {
	name, dir, ok := strings.Cut(text, "=")
	if !ok {
		return module{}, exit.Failf(exit.Usage, "--module %q: give NAME=DIR", host.Printable(text))
	}
	m := module{name, dir}
	if complaint := m.complaint(); complaint != "" {
		return m, exit.Failf(exit.Usage, "--module %s: %s", host.Printable(text), complaint)
	}
	return m, nil
}

// complaint says what is wrong with a module, "" if nothing.
func (m module) complaint() string {
	switch {
	case !account.ValidModuleID(m.name):
		return fmt.Sprintf("%q is no name: it begins with a letter and has lower-case letters, digits, - and _, such as wiki1", host.Printable(m.name))
	case !filepath.IsAbs(m.dir):
		return fmt.Sprintf("%q must begin with /", host.Printable(m.dir))
	}
	return directoryComplaint(m.dir)
}

// chosen returns the modules that the options name.
func (o *options) chosen() ([]module, error) {
	var all []module
	for _, text := range o.modules {
		m, err := parseModule(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(other module) bool { return other.name == m.name }) {
			return nil, exit.Failf(exit.Usage, "--module: %s is named twice", m.name)
		}
		all = append(all, m)
	}
	return all, nil
}

// arguments returns the arguments of "destination add".
func (s *storage) arguments(name string) []string {
	args := []string{"--provider", s.provider, "--name", name}
	for _, option := range []struct{ name, value string }{
		{"--url", s.url}, {"--conf", s.conf}, {"--section", s.section}, {"--base-path", s.basePath}, {"--password-file", s.passwordFile},
	} {
		if option.value != "" {
			args = append(args, option.name, option.value)
		}
	}
	for _, pair := range s.set {
		args = append(args, "--set", pair)
	}
	for _, pair := range s.secretFiles {
		args = append(args, "--secret-file", pair)
	}
	return args
}
