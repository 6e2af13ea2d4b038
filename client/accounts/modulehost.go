package accounts

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/join"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
)

// hostOptions describe a module on another host, and how its settings get there.
type hostOptions struct {
	file      string
	pair      bool
	pairFor   time.Duration
	gateway   string
	allowHTTP bool

	address *url.URL // of the gateway
}

// Lifetimes of a pairing code: the default, the shortest and the longest.
const (
	pairingTime    = time.Hour
	minPairingTime = time.Minute
	maxPairingTime = 7 * 24 * time.Hour
)

func (o *hostOptions) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.file, "host-file", "", "the module is on another host: write all that this needs to `FILE`, to carry over")
	flags.BoolVar(&o.pair, "pair", false, "the module is on another host: print a pairing code, which gives all that this needs, once")
	flags.DurationVar(&o.pairFor, "pair-for", pairingTime, "how long the pairing code lives")
	flags.StringVar(&o.gateway, "gateway", "", "`URL` by which the other host reaches the gateway, such as https://gateway.example.org:4694 (default: NS8_GATEWAY_URL)")
	flags.BoolVar(&o.allowHTTP, "allow-http", false, "take a --gateway without https, over a network that is encrypted itself")
}

// elsewhere reports whether the module runs on another host.
func (o *hostOptions) elsewhere() bool { return o.file != "" || o.pair }

// checkHost refuses combinations of options that make no sense, and determines the
// gateway's address.
func (o *moduleOptions) checkHost(sys *host.System, output *envOutput) error {
	h := &o.host
	switch {
	case !h.elsewhere() && (h.gateway != "" || h.allowHTTP):
		return exit.Failf(exit.Usage, "--gateway and --allow-http are for a module on another host: say --host-file FILE or --pair too; for one on this host set NS8_GATEWAY_URL")
	case !h.elsewhere():
		return nil
	case h.file != "" && h.pair:
		return exit.Failf(exit.Usage, "--host-file and --pair are two ways to do the same: use one")
	case output.envFile != "" || o.runAs != "" || o.runWith != "":
		return exit.Failf(exit.Usage, "--env-file, --run-as and --run-with are for a module on this host: on the other one \"gatewayctl module join\" writes the environment")
	case len(o.volumes) > 0:
		return exit.Failf(exit.Usage, "--volume names what is on the other host: say it there, with \"gatewayctl module join --volume\"")
	case h.pair && output.passwordFile != "":
		return exit.Failf(exit.Usage, "--pair makes a new password, which nobody needs to know: leave --password-file out")
	case h.pairFor < minPairingTime || h.pairFor > maxPairingTime:
		return exit.Failf(exit.Usage, "--pair-for must be from %s to %s", minPairingTime, maxPairingTime)
	}
	if h.file != "" {
		output.envFile, output.comment = h.file, join.Comment(o.id)
	}
	return h.settleGateway(sys)
}

// settleGateway determines the address at which the other host reaches the gateway.
func (o *hostOptions) settleGateway(sys *host.System) error {
	if o.gateway == "" {
		o.gateway, _ = sys.Env.Lookup("NS8_GATEWAY_URL")
	}
	if o.gateway == "" {
		return exit.Failf(exit.Usage, "by which address does the other host reach the gateway? Say --gateway https://HOST:PORT")
	}
	var err error
	if o.address, err = join.Address(o.gateway, o.allowHTTP); err != nil {
		return fmt.Errorf("--gateway: %w", err)
	}
	return checkValue("--gateway", o.address.String())
}

// mark records in Redis whether the module is on another host.
func (o *hostOptions) mark(ctx context.Context, p redis.Pipeliner, id string) {
	if o.elsewhere() {
		p.SAdd(ctx, catalog.ModulesElsewhere, id)
		return
	}
	p.SRem(ctx, catalog.ModulesElsewhere, id)
}

// settings returns everything that the other host needs.
func (a *accounts) settings(opts moduleOptions, password string) (join.Settings, error) {
	s := join.Settings{Variables: slices.Concat(opts.ownVariables(), loginElsewhere(account.ModuleUser(opts.id), password),
		[]envfile.Variable{{Name: "NS8_GATEWAY_URL", Value: opts.host.address.String()}})}
	files := a.Sys.Env.GatewayFiles()
	if files.ClientCert != "" {
		a.Sys.Warnf("the gateway is reached with the client certificate of RESTIC_TLS_CLIENT_CERT, which does not go along: the other host needs one of its own, and its name in that variable")
	}
	if opts.host.address.Scheme != "https" {
		return s, nil
	}
	var certificates bytes.Buffer
	for _, name := range files.CACerts {
		pem, err := os.ReadFile(name)
		if err != nil {
			return s, exit.Failf(exit.Usage, "RESTIC_CACERT: %w", err)
		}
		certificates.Write(append(bytes.TrimSpace(pem), '\n'))
	}
	s.CA = certificates.Bytes()
	return s, nil
}

// loginElsewhere returns the variables by which a host without Redis logs in to the
// gateway.
func loginElsewhere(user, password string) []envfile.Variable {
	return []envfile.Variable{
		{Name: "AGENT_ID", Value: user}, {Name: "REDIS_ADDRESS", Value: host.NoRedisAddress},
		{Name: "REDIS_USER", Value: user}, {Name: "REDIS_PASSWORD", Value: password},
	}
}

// hostLines returns the settings as lines of an environment file.
func (a *accounts) hostLines(opts moduleOptions, password string) ([]envfile.Variable, error) {
	s, err := a.settings(opts, password)
	return s.Lines(), err
}

// tellHostFile prints what the file holds and how to use it.
func (o *moduleOptions) tellHostFile(sys *host.System) {
	sys.Notef(`it holds what module %s needs on its host: its IDs, its password, the gateway's address %s, and the CA's certificate if it has one of its own.
Carry it over as a secret, and on that host, as root, run:
  gatewayctl module join %s%s
Then remove the file, here and there.`, o.id, o.host.address, o.dirFlag(), filepath.Base(o.host.file))
}

// dirFlag returns the option --dir for module join.
func (o *moduleOptions) dirFlag() string {
	if o.dir == "" {
		return "--dir /srv/" + o.id + " "
	}
	return "--dir " + o.dir + " "
}
