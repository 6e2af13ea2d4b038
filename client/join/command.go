package join

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/state"
	"github.com/rclone-gateway/rclone-gateway/internal/pairing"
)

type options struct {
	place

	volumeTexts []string
	codeFile    string
	pin         string
	allowHTTP   bool
	timers      bool
}

// NewCommand returns the command module join.
func NewCommand(sys *host.System) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "join [flags] FILE|URL",
		Short: "Take over a module on a host of its own, with a file or a pairing code",
		Long: `Make this host, which needs no Redis, the one that a module is backed up from: with
the FILE that "gatewayctl module add --host-file" wrote, or with the pairing code that
"gatewayctl module add --pair" printed and the URL of the gateway. The code is asked for
at the terminal, or read from stdin or --code-file; it is used up by this.

DIR is made as "module add --dir" makes it, with DIR/state and DIR/etc. The environment,
which holds the module's password, goes to DIR/etc/module.env for its owner alone, unless
--env-file names another file; there, what somebody added stays. Where a CA of one's own
vouches for the gateway, its certificate goes to DIR/etc/gateway-ca.pem. With a code it is
known by the fingerprint of --ca-sha256 before anything is sent, and what is got is sealed
with the code, so that only who made the code can have written it.

With --install-timers systemd makes the backups, at the times of the schedules that the
module is in: see "gatewayctl schedule install".

Nothing is used up or written where the directories cannot be made, the gateway does not
answer, or it is another one.`,
		Example: `  gatewayctl module join --dir /srv/myapp1 myapp1.host
  gatewayctl module join --dir /srv/myapp1 --ca-sha256 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae https://gateway.example.org:4694
  gatewayctl module join --dir /srv/wiki1 --volume pages=/srv/wiki/pages --code-file code.txt https://gateway.example.org:4694`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Unreachable, exit.Full, exit.Forbidden, exit.Conflict, exit.Signal),
		Args:        cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.run(cmd.Context(), sys, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.dir, "dir", "", "`DIR` of the module on this host (default: as the file says)")
	flags.StringArrayVar(&o.volumeTexts, "volume", nil, "volume of the module that lies elsewhere: `NAME=PATH`, as with module add; can be repeated")
	flags.StringVar(&o.envFile, "env-file", "", "write the environment to `FILE` (default: etc/module.env in DIR)")
	flags.StringVar(&o.codeFile, "code-file", "-", "`FILE` with the pairing code, - for the terminal or stdin")
	flags.StringVar(&o.pin, "ca-sha256", "", "`FINGERPRINT` (SHA-256, in hexadecimal) of the certificate that vouches for the gateway")
	flags.BoolVar(&o.timers, "install-timers", false, "have systemd run the module's backups at the times of its schedules, as \"schedule install\" does")
	flags.BoolVar(&o.allowHTTP, "allow-http", false, "take a gateway without https, over a network that is encrypted itself")
	return cmd
}

func (o *options) check() error {
	if o.dir != "" && !filepath.IsAbs(o.dir) {
		return exit.Failf(exit.Usage, "--dir %s must begin with /, as it is used from everywhere", o.dir)
	}
	var err error
	if o.envFile != "" {
		if o.envFile, err = filepath.Abs(o.envFile); err != nil {
			return exit.Failf(exit.Usage, "--env-file: %w", err)
		}
	}
	o.volumes, err = state.ParsePlacedVolumes(o.volumeTexts)
	return err
}

func (o *options) run(ctx context.Context, sys *host.System, from string) error {
	var s Settings
	var err error
	if strings.Contains(from, "://") {
		s, err = o.pair(ctx, sys, from)
	} else {
		s, err = o.carried(sys, from)
	}
	if err != nil {
		return err
	}
	if err := o.fill(ctx, &s); err != nil {
		return err
	}
	o.tell(sys, &s)
	if !o.timers {
		return nil
	}
	return o.installTimers(ctx, sys)
}

// installTimers lets systemd run the backups, with the environment that was just written.
func (o *options) installTimers(ctx context.Context, sys *host.System) error {
	cmd, err := host.Self(ctx, "--env-file", o.envFile, "schedule", "install")
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = sys.Stderr, sys.Stderr
	if err := cmd.Run(); err != nil {
		return exit.Failf(exit.Failed, "the host has joined, but its timers are not installed (%w): run \"gatewayctl --env-file %s schedule install\" as root", err, o.envFile)
	}
	return nil
}

// settle decides where the files go, and creates their directories.
func (o *options) settle(dir string) error {
	if o.dir == "" {
		o.dir = dir
	}
	if o.dir == "" {
		return exit.Failf(exit.Usage, "where are the module's files on this host? Say so with --dir DIR")
	}
	if o.envFile == "" {
		o.envFile = filepath.Join(o.dir, "etc", "module.env")
	}
	return o.ready()
}

// carried returns the settings in a file.
func (o *options) carried(sys *host.System, name string) (Settings, error) {
	if o.pin != "" {
		return Settings{}, exit.Failf(exit.Usage, "--ca-sha256 is for a pairing code: the file holds the certificate itself")
	}
	s, err := readFile(sys, name)
	if err != nil {
		return Settings{}, err
	}
	if _, err := Address(s.get(gatewayVariable), o.allowHTTP); err != nil {
		return Settings{}, err
	}
	return s, o.settle(s.get("AGENT_INSTALL_DIR"))
}

// pair returns the settings that the gateway gives for a code.
func (o *options) pair(ctx context.Context, sys *host.System, text string) (Settings, error) {
	address, err := Address(text, o.allowHTTP)
	if err != nil {
		return Settings{}, err
	}
	client, err := o.client(sys, address)
	if err != nil {
		return Settings{}, err
	}
	if err := o.settle(""); err != nil {
		return Settings{}, err
	}
	typed, err := sys.SecretFrom(ctx, o.codeFile, "pairing code")
	if err != nil {
		return Settings{}, err
	}
	code, err := pairing.Parse(typed)
	if err != nil {
		return Settings{}, exit.Failf(exit.Usage, "%w: it was not sent", err)
	}
	s, err := redeem(ctx, client, address, code, sys.Env.GatewayFiles().Advice)
	if err != nil {
		return Settings{}, err
	}
	s.set(gatewayVariable, address.String()) // this host just reached it there
	return s, nil
}

// client returns an HTTP client for the gateway, pinned to the fingerprint if there is one.
func (o *options) client(sys *host.System, address *url.URL) (*http.Client, error) {
	if o.pin == "" {
		return sys.Env.GatewayClient(redeemTimeout), nil
	}
	if address.Scheme != "https" {
		return nil, exit.Failf(exit.Usage, "--ca-sha256 needs https: %s shows no certificate", address)
	}
	pin, err := gatehttp.ParseFingerprint(o.pin)
	if err != nil {
		return nil, exit.Failf(exit.Usage, "--ca-sha256: %w", err)
	}
	over, err := gatehttp.Pinned(sys.Env.GatewayFiles(), address.Hostname(), pin)
	if err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	return &http.Client{Timeout: redeemTimeout, Transport: over}, nil
}

// tell prints what was set up, and how to use it.
func (o *options) tell(sys *host.System, s *Settings) {
	id := s.get("MODULE_ID")
	sys.Notef("wrote %s", o.envFile)
	if s.CA != nil {
		sys.Notef("wrote %s", o.caFile())
	}
	sys.Notef("module %s is on this host, with its files in %s; put what is to be saved into %s/state or name it with --volume, and back it up by hand once:\n  gatewayctl --env-file %s module-backup SCHEDULE",
		id, o.dir, o.dir, o.envFile)
	if !o.timers {
		sys.Notef("to have systemd make its backups at the times of its schedules, run \"gatewayctl --env-file %s schedule install\" as root; with cron, a line such as\n  30 2 * * * root gatewayctl --env-file %[1]s module-backup SCHEDULE", o.envFile)
	}
	fmt.Fprintln(sys.Stdout, id)
}
