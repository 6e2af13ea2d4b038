package join

import (
	"cmp"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
)

// Names of variables in settings.
const (
	// caVariable holds the PEM certificates by which the gateway is trusted, in base64.
	// Only settings have it; environments have RESTIC_CACERT instead.
	caVariable      = "GATEWAY_CA"
	gatewayVariable = "NS8_GATEWAY_URL"
)

// Settings are everything that a module needs on a host without Redis, including a
// password.
type Settings struct {
	// Variables are the variables of its environment.
	Variables []envfile.Variable
	// CA holds the PEM certificates by which the gateway is trusted, nil if the host trusts
	// it anyway.
	CA []byte
}

// Comment is the first line of a file of settings.
func Comment(module string) string {
	return fmt.Sprintf(`# The settings of module %s for the host that it is on. They hold its password: whoever
# has this file backs up and restores that module. There, as root, and then remove it:
#   gatewayctl module join --dir DIR THIS-FILE
`, module)
}

// Lines formats the settings as lines of an environment file.
func (s Settings) Lines() []envfile.Variable {
	if s.CA == nil {
		return s.Variables
	}
	return append(slices.Clone(s.Variables), envfile.Variable{Name: caVariable, Value: base64.StdEncoding.EncodeToString(s.CA)})
}

// parseSettings parses the output of Lines. The error does not quote it.
func parseSettings(text []byte) (Settings, error) {
	var s Settings
	values := envfile.Parse(text)
	for _, name := range envfile.Names(text) {
		if name != caVariable {
			s.Variables = append(s.Variables, envfile.Variable{Name: name, Value: values[name]})
		}
	}
	if ca := values[caVariable]; ca != "" {
		var err error
		if s.CA, err = base64.StdEncoding.DecodeString(ca); err != nil {
			return Settings{}, fmt.Errorf("%s is not base64", caVariable)
		}
		if block, _ := pem.Decode(s.CA); block == nil {
			return Settings{}, fmt.Errorf("%s holds no certificate", caVariable)
		}
	}
	for name, valid := range map[string]func(string) bool{
		"MODULE_ID": account.ValidModuleID, "MODULE_UUID": account.ValidUUID, "IMAGE_URL": notEmpty,
		"REDIS_USER": notEmpty, "REDIS_PASSWORD": notEmpty, gatewayVariable: notEmpty,
	} {
		if !valid(values[name]) {
			return Settings{}, fmt.Errorf("%s is missing, or not valid", name)
		}
	}
	return s, nil
}

func notEmpty(text string) bool { return text != "" }

// get returns a variable, "" if it is not set.
func (s *Settings) get(name string) string {
	at := slices.IndexFunc(s.Variables, func(v envfile.Variable) bool { return v.Name == name })
	if at < 0 {
		return ""
	}
	return s.Variables[at].Value
}

// set sets a variable. An existing one keeps its position.
func (s *Settings) set(name, value string) {
	at := slices.IndexFunc(s.Variables, func(v envfile.Variable) bool { return v.Name == name })
	if at < 0 {
		s.Variables = append(s.Variables, envfile.Variable{Name: name, Value: value})
		return
	}
	s.Variables[at].Value = value
}

// readFile reads the settings in a file that an administrator copied.
func readFile(sys *host.System, name string) (Settings, error) {
	text, err := sys.ReadText(name)
	if err != nil {
		return Settings{}, err
	}
	s, err := parseSettings([]byte(text))
	if err != nil {
		return Settings{}, exit.Failf(exit.Usage, "%s is not what \"gatewayctl module add --host-file\" wrote: %w", cmp.Or(strings.TrimPrefix(name, "-"), "stdin"), err)
	}
	return s, nil
}
