package destinations

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// destinationFlags are the flags that describe a destination. Secrets come from files ("-"
// is stdin) or from a prompt.
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

// parametersOf collects the parameters that the flags give.
func parametersOf(ctx context.Context, s *host.System, f *destinationFlags, p destination.Provider) (map[string]string, error) {
	params := map[string]string{}
	for _, pair := range f.set {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, exit.Failf(exit.Usage, "--set %s: give NAME=VALUE", name)
		}
		if isSecret(p, name) {
			return nil, exit.Failf(exit.Usage, "--set %s: a secret on the command line can be seen by everybody on this host: use --secret-file %s=FILE, or the prompt", name, name)
		}
		params[name] = value
	}
	for _, pair := range f.secretFiles {
		name, file, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, exit.Failf(exit.Usage, "--secret-file %s: give NAME=FILE", name)
		}
		secret, err := s.SecretFrom(ctx, file, name)
		if err != nil {
			return nil, err
		}
		if secret == "" {
			return nil, exit.Failf(exit.Usage, "--secret-file %s: there is nothing in %s", name, host.NameOfInput(file))
		}
		params[name] = secret
	}
	if f.basePath != "" {
		params[destination.ParamBasePath] = f.basePath
	}
	if f.conf == "" {
		return params, nil
	}
	text, err := confFrom(ctx, s, f.conf)
	if err != nil {
		return nil, err
	}
	return params, setConf(params, text, f.section)
}

// setConf stores a section of an rclone.conf among the parameters, without comments, which
// NethServer 8's action does not accept.
func setConf(params map[string]string, text, section string) error {
	names := destination.Sections(text)
	switch {
	case section != "":
		var found bool
		if text, found = destination.CutSection(text, section); !found {
			return exit.Failf(exit.Usage, "there is no section [%s] in the file, but %s", section, sectionNames(names))
		}
	case len(names) > 1:
		return exit.Failf(exit.Usage, "the file has several sections: say which with --section: %s", sectionNames(names))
	}
	conf, err := destination.PlainConf(text)
	if err != nil {
		return exit.Failf(exit.Invalid, "the section of rclone.conf: %w", err)
	}
	params[destination.ParamConf] = conf
	return nil
}

func sectionNames(names []string) string {
	return host.Printable(cmp.Or(strings.Join(names, ", "), "none at all"))
}

func isSecret(p destination.Provider, name string) bool {
	for _, param := range p.Parameters {
		if param.Name == name {
			return param.Secret
		}
	}
	return false
}

// confFrom reads an rclone.conf from a file, from stdin or from a prompt.
func confFrom(ctx context.Context, s *host.System, file string) (string, error) {
	if p := s.Prompter(); p != nil && file == "-" {
		return askConf(ctx, p)
	}
	return s.ReadText(file)
}

func askConf(ctx context.Context, p *host.Prompter) (string, error) {
	return p.AskText(ctx, "paste the section of rclone.conf")
}

// askProvider asks for a provider.
func askProvider(ctx context.Context, p *host.Prompter) (string, error) {
	for _, provider := range destination.Providers {
		fmt.Fprintf(p.Sys.Stderr, "  %-10s %s\n", provider.Name, provider.About)
	}
	return p.AskUntil(ctx, "provider", func(name string) string {
		if _, ok := destination.ProviderOf(name); !ok {
			return "choose one of those above"
		}
		return ""
	})
}

// fillIn asks for what the flags of a new destination leave out.
func fillIn(ctx context.Context, p *host.Prompter, f *destinationFlags, provider destination.Provider, params map[string]string) error {
	var err error
	if provider.URLHint != "" && f.url == "" {
		f.url, err = p.AskUntil(ctx, "url, such as "+provider.URLHint, func(url string) string {
			if len(provider.CheckURL(url)) > 0 {
				return "it must have the form " + provider.URLHint
			}
			return ""
		})
		if err != nil {
			return err
		}
	}
	for _, param := range provider.Parameters {
		if _, given := params[param.Name]; given || param.Name == destination.ParamConfB64 {
			continue
		}
		switch {
		case param.Name == destination.ParamConf:
			err = fillConf(ctx, p, f, params)
		case param.Secret:
			params[param.Name], err = askParameter(ctx, p, provider, param)
		default:
			var answer string
			answer, err = p.AskUntil(ctx, param.About, func(answer string) string {
				if answer == "" && param.NotEmpty {
					return "it is needed"
				}
				return ""
			})
			if answer != "" || !param.Optional {
				params[param.Name] = answer
			}
		}
		if err != nil {
			return err
		}
	}
	if f.name == "" {
		f.name, err = p.Ask(ctx, "name (empty for one that is made up)")
	}
	return err
}

// askParameter asks for a secret, and again after an impossible answer. Shares may be open, with
// an empty password.
func askParameter(ctx context.Context, p *host.Prompter, provider destination.Provider, param destination.Parameter) (string, error) {
	for {
		secret, err := p.AskSecret(ctx, param.About)
		switch {
		case err != nil:
			return "", err
		case secret == "" && provider.Name != destination.SMB:
			p.Sys.Notef("  it is needed")
		case strings.ContainsFunc(secret, unicode.IsControl):
			p.Sys.Notef("  there was a key in it that is no character, such as an arrow")
		default:
			return secret, nil
		}
	}
}

// fillConf asks for a section, and shows its keys without values.
func fillConf(ctx context.Context, p *host.Prompter, f *destinationFlags, params map[string]string) error {
	text, err := askConf(ctx, p)
	if err != nil {
		return err
	}
	if names := destination.Sections(text); f.section == "" && len(names) > 1 {
		f.section, err = p.AskUntil(ctx, "which of its sections: "+sectionNames(names), func(name string) string {
			if !slices.Contains(names, name) {
				return "choose one of those"
			}
			return ""
		})
		if err != nil {
			return err
		}
	}
	if err := setConf(params, text, f.section); err != nil {
		return err
	}
	section, err := destination.ParseConf(params[destination.ParamConf])
	p.Sys.Notef("  a section of type %s with the keys %s", host.Printable(section["type"]), strings.Join(slices.Sorted(maps.Keys(section)), ", "))
	return err
}
