package accounts

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"

	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// envOutput holds the options for where the environment of a node or a module is written,
// and where its password comes from.
type envOutput struct {
	passwordFile, envFile string
	asJSON                bool
	comment               string // written above the variables of a file
}

func (o *envOutput) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.passwordFile, "password-file", "", "`FILE` with the password, - for stdin (default: it is generated)")
	flags.StringVar(&o.envFile, "env-file", "", "write the environment to `FILE`, for its owner only, instead of stdout")
	flags.BoolVar(&o.asJSON, "json", false, "print the environment as a JSON object")
}

// passwordPattern matches passwords that need no quoting in environment files, whether a
// shell, systemd or a container engine reads them.
var passwordPattern = regexp.MustCompile(`^[A-Za-z0-9._~+/=@%^,:-]{12,512}$`)

func checkPassword(password, where string) error {
	if !passwordPattern.MatchString(password) {
		return exit.Failf(exit.Usage, "%s: the password must have 12 to 512 letters, digits or any of . _ ~ + / = @ %% ^ , : -", where)
	}
	return nil
}

// earlierEnv is the content of an existing environment file.
type earlierEnv struct {
	names  []string // in file order
	values map[string]string
}

// earlier reads the environment file that an earlier run wrote for the same user, so that
// the command can be repeated. The result is empty if there is no file.
func (o *envOutput) earlier(user string) (earlierEnv, error) {
	if o.envFile == "" {
		return earlierEnv{}, nil
	}
	data, err := os.ReadFile(o.envFile)
	if errors.Is(err, fs.ErrNotExist) {
		return earlierEnv{}, nil
	}
	if err != nil {
		return earlierEnv{}, exit.Failf(exit.Usage, "--env-file: %w", err)
	}
	found := earlierEnv{envfile.Names(data), envfile.Parse(data)}
	if len(bytes.TrimSpace(data)) > 0 && found.values["REDIS_USER"] != user {
		return earlierEnv{}, exit.Failf(exit.Conflict, "--env-file %s is there and not of user %s: name another file, or remove it", o.envFile, user)
	}
	return found, nil
}

// credential returns the password for a user: from a file, from an earlier run, or
// generated. chosen is false for a generated one.
func (o *envOutput) credential(sys *host.System, earlier earlierEnv) (password string, chosen bool, err error) {
	switch old := earlier.values["REDIS_PASSWORD"]; {
	case o.passwordFile != "":
		if password, err = sys.ReadSecret(o.passwordFile); err != nil {
			return "", false, err
		}
		return password, true, checkPassword(password, "--password-file")
	case old != "":
		return old, true, checkPassword(old, "--env-file")
	}
	return host.NewPassword(), false, nil
}

// pending is an environment that is ready to be published. Its file is written under a
// temporary name before Redis is changed, so that no password gets lost.
type pending struct {
	options *envOutput
	vars    []envfile.Variable
	file    *atomicfile.Pending // nil without a file, or once it is in place
}

// prepare writes the file, if one is wanted.
func (o *envOutput) prepare(vars []envfile.Variable) (*pending, error) {
	p := &pending{options: o, vars: vars}
	if o.envFile == "" {
		return p, nil
	}
	var err error
	if p.file, err = atomicfile.Prepare(o.envFile, []byte(o.comment+envfile.Format(vars)), 0o600); err != nil {
		return nil, exit.Failf(exit.Failed, "--env-file: %w", err)
	}
	return p, nil
}

// drop removes a file that was prepared and not published.
func (p *pending) drop() {
	if p.file != nil {
		p.file.Drop()
	}
}

// tell moves the file into place, or prints the environment.
func (p *pending) tell(sys *host.System) error {
	shown := p.vars
	if p.file != nil {
		if err := p.file.Commit(); err != nil {
			return exit.Failf(exit.Failed, "--env-file: %w", err)
		}
		p.file = nil
		shown = nil
		for _, v := range p.vars {
			if v.Name != redisconn.PasswordVariable && v.Name != redisconn.SentinelPasswordVariable {
				shown = append(shown, v)
			}
		}
		if !p.options.asJSON {
			sys.Notef("wrote %s", p.options.envFile)
			return nil
		}
	}
	if !p.options.asJSON {
		_, err := io.WriteString(sys.Stdout, envfile.Format(shown))
		return err
	}
	values := map[string]string{}
	for _, v := range shown {
		values[v.Name] = v.Value
	}
	encoder := json.NewEncoder(sys.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(values)
}

// plainValue matches values that need no quotes.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9._~+/=@%^,:?\[\]-]*$`)

func checkValue(name, value string) error {
	if !plainValue.MatchString(value) {
		return exit.Failf(exit.Usage, "%s %q holds characters that an environment file cannot: use letters, digits, . _ ~ + / = @ %% ^ , : -", name, value)
	}
	return nil
}

// redisVariables returns the variables by which a user reaches this Redis.
func (a *accounts) redisVariables(user, password string) ([]envfile.Variable, error) {
	server, err := a.Sys.Env.RedisServer()
	if err != nil {
		return nil, err
	}
	server.ReplicaAddress = ""
	if server.URL == "" && server.SentinelMaster == "" {
		server.Address = host.ServerOf(a.Redis)
		server.ReplicaAddress = server.Address
	}
	vars := []envfile.Variable{{Name: "AGENT_ID", Value: user}}
	for _, v := range server.Variables() {
		if err := checkValue(v.Name, v.Value); err != nil {
			return nil, err
		}
		vars = append(vars, envfile.Variable{Name: v.Name, Value: v.Value})
	}
	return append(vars, envfile.Variable{Name: "REDIS_USER", Value: user}, envfile.Variable{Name: "REDIS_PASSWORD", Value: password}), nil
}

// gatewayVariables returns the variables for the gateway's address, if it is known.
func gatewayVariables(s *host.System) []envfile.Variable {
	vars := s.Env.ReachVariables()
	if url, ok := s.Env.Lookup("NS8_GATEWAY_URL"); ok && url != "" {
		return append([]envfile.Variable{{Name: "NS8_GATEWAY_URL", Value: url}}, vars...)
	}
	return vars
}

// renewed is what an environment file is to hold: see [envfile.Renew].
func (e earlierEnv) renewed(vars []envfile.Variable) []envfile.Variable {
	return envfile.Renew(e.names, e.values, vars)
}
