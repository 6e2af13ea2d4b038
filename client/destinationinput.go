package client

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
)

// destinationFlags are the flags by which people describe a destination. Secrets
// come from files, of which "-" is stdin, or from a prompt.
type destinationFlags struct {
	name, url, passwordFile string
	set, secretFiles        []string
	conf, section, basePath string
	noTest                  bool
}

func (f *destinationFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.name, "name", "", "`NAME` that people see")
	flags.StringVar(&f.url, "url", "", "where it is: `URL` such as b2:bucket/folder or s3:endpoint/bucket/folder")
	flags.StringArrayVar(&f.set, "set", nil, "parameter `NAME=VALUE` of the provider that is no secret; may be repeated")
	flags.StringArrayVar(&f.secretFiles, "secret-file", nil, "secret parameter `NAME=FILE`, read from a file or, with -, from stdin; may be repeated")
	flags.StringVar(&f.conf, "conf", "", "`FILE` with a section of rclone.conf, - for stdin; for provider rclone")
	flags.StringVar(&f.section, "section", "", "`NAME` of the section, where the file has several")
	flags.StringVar(&f.basePath, "base-path", "", "`PATH` on the remote below which backups go; for provider rclone")
	flags.BoolVar(&f.noTest, "no-test", false, "save it untested")
}

// parameters collects the parameters that flags give.
func (s *system) parameters(f *destinationFlags, p destination.Provider) (map[string]string, error) {
	params := map[string]string{}
	for _, pair := range f.set {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, failf(exitUsage, "--set %s: give NAME=VALUE", name)
		}
		if isSecret(p, name) {
			return nil, failf(exitUsage, "--set %s: a secret on the command line can be seen by everybody on this host: use --secret-file %s=FILE, or the prompt", name, name)
		}
		params[name] = value
	}
	for _, pair := range f.secretFiles {
		name, file, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, failf(exitUsage, "--secret-file %s: give NAME=FILE", name)
		}
		secret, err := s.readSecret(file)
		if err != nil {
			return nil, err
		}
		params[name] = secret
	}
	if f.basePath != "" {
		params[destination.ParamBasePath] = f.basePath
	}
	if f.conf == "" {
		return params, nil
	}
	text, err := s.readFile(f.conf)
	if err != nil {
		return nil, err
	}
	return params, setConf(params, text, f.section)
}

// setConf takes the section out of a whole rclone.conf. It goes on in its plainest
// form, without comments, which NethServer 8's action does not take.
func setConf(params map[string]string, text, section string) error {
	if section != "" {
		var found bool
		if text, found = destination.CutSection(text, section); !found {
			return failf(exitUsage, "there is no section [%s] in the file", section)
		}
	}
	conf, err := destination.PlainConf(text)
	if err != nil {
		return failf(exitInvalid, "the section of rclone.conf: %w", err)
	}
	params[destination.ParamConf] = conf
	return nil
}

func isSecret(p destination.Provider, name string) bool {
	for _, param := range p.Parameters {
		if param.Name == name {
			return param.Secret
		}
	}
	return false
}

// readFile reads a file, or stdin for "-".
func (s *system) readFile(name string) (string, error) {
	const limit = 64 << 20
	in := s.stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return "", withCode(exitUsage, err)
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, limit))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return string(data), nil
}

// readSecret reads a secret of one line.
func (s *system) readSecret(name string) (string, error) {
	text, err := s.readFile(name)
	return strings.TrimRight(text, "\r\n"), err
}

// terminal is where people are asked; nil where nobody is.
func (s *system) terminal() *os.File {
	if file, ok := s.stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return file
	}
	return nil
}

// prompter asks people, on stderr.
type prompter struct {
	sys *system
	in  *bufio.Reader
	tty *os.File
}

func (s *system) prompter(tty *os.File) *prompter {
	return &prompter{sys: s, in: bufio.NewReader(tty), tty: tty}
}

// ask asks for a line.
func (p *prompter) ask(question string) (string, error) {
	fmt.Fprintf(p.sys.stderr, "%s: ", question)
	line, err := p.in.ReadString('\n')
	if err != nil && line == "" {
		return "", failf(exitUsage, "no answer to the question for the %s", question)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// askSecret asks for a line that is not shown.
func (p *prompter) askSecret(question string) (string, error) {
	fmt.Fprintf(p.sys.stderr, "%s (not shown): ", question)
	answer, err := term.ReadPassword(int(p.tty.Fd()))
	fmt.Fprintln(p.sys.stderr)
	if err != nil {
		return "", failf(exitUsage, "no answer to the question for the %s: %w", question, err)
	}
	return string(answer), nil
}

// provider lets people choose one.
func (p *prompter) provider() (string, error) {
	for _, provider := range destination.Providers {
		fmt.Fprintf(p.sys.stderr, "  %-10s %s\n", provider.Name, provider.About)
	}
	return p.ask("provider")
}

// fill asks for what flags did not give of a new destination.
func (p *prompter) fill(f *destinationFlags, provider destination.Provider, params map[string]string) error {
	var err error
	if provider.URLHint != "" && f.url == "" {
		if f.url, err = p.ask("url, such as " + provider.URLHint); err != nil {
			return err
		}
	}
	for _, param := range provider.Parameters {
		if _, given := params[param.Name]; given || param.Name == destination.ParamConfB64 {
			continue
		}
		switch {
		case param.Name == destination.ParamConf:
			err = p.fillConf(f, params)
		case param.Secret:
			params[param.Name], err = p.askSecret(param.About)
		default:
			var answer string
			if answer, err = p.ask(param.About); answer != "" || !param.Optional {
				params[param.Name] = answer
			}
		}
		if err != nil {
			return err
		}
	}
	if f.name == "" {
		f.name, err = p.ask("name (empty for one that is made up)")
	}
	return err
}

// fillConf takes a pasted section, up to an empty line.
func (p *prompter) fillConf(f *destinationFlags, params map[string]string) error {
	fmt.Fprintln(p.sys.stderr, "paste the section of rclone.conf, and end it with an empty line:")
	var text strings.Builder
	for {
		line, err := p.in.ReadString('\n')
		text.WriteString(line)
		if err != nil || strings.TrimSpace(line) == "" {
			return setConf(params, text.String(), f.section)
		}
	}
}
