package host

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
)

// Where NS8 keeps environment files. NS8_AGENT_ENV and NS8_CORE_ENV in the
// process environment name others.
const (
	NodeAgentEnv = "/var/lib/nethserver/node/state/agent.env"
	CoreEnv      = "/etc/nethserver/core.env"
)

// Environment is the agent's environment. A variable comes from the first place
// that has it: the process environment, then, in the module's state directory,
// the files environment and agent.env, then the node's agent.env, then core.env.
// Files are read only when a variable is looked for in them. Safe for concurrent
// use.
type Environment struct {
	Lookup func(string) (string, bool)
	// Set changes the process environment; a variable that is empty counts as unset.
	Set func(name, value string) error

	once    sync.Once
	sources []*envFile
}

// NewEnvironment returns an environment whose variables lookup knows. What a file
// of variables sets is set for this process and its children.
func NewEnvironment(lookup func(string) (string, bool)) *Environment {
	return &Environment{Lookup: lookup, Set: os.Setenv}
}

// files are the places behind the process environment, in order.
func (e *Environment) files() []*envFile {
	e.once.Do(func() {
		if state, ok := e.Lookup("AGENT_STATE_DIR"); ok && state != "" {
			e.sources = append(e.sources,
				newEnvFile(filepath.Join(state, "environment")),
				newEnvFile(filepath.Join(state, "agent.env")))
		}
		agent, _ := e.Lookup("NS8_AGENT_ENV")
		core, _ := e.Lookup("NS8_CORE_ENV")
		e.sources = append(e.sources, newEnvFile(cmp.Or(agent, NodeAgentEnv)), newEnvFile(cmp.Or(core, CoreEnv)))
	})
	return e.sources
}

// Get returns the variable, or "" where it is nowhere or empty.
func (e *Environment) Get(name string) string {
	if value, ok := e.Lookup(name); ok && value != "" {
		return value
	}
	for _, file := range e.files() {
		if value := file.values()[name]; value != "" {
			return value
		}
	}
	return ""
}

// need returns the variable, or an error that says how to get it.
func (e *Environment) need(name string) (string, error) {
	value := e.Get(name)
	if value == "" {
		return "", e.notSet(name, e.unreadable())
	}
	return value, nil
}

// notSet says how to get a variable that is not set: as is usual where we are.
func (e *Environment) notSet(name, more string) error {
	how := `give the file that "gatewayctl module add --env-file" wrote, with --env-file FILE before the command`
	if e.OnNS8() {
		how = "run this inside the module's environment (runagent -m MODULE …)"
	}
	return exit.Failf(exit.Usage, "%s is not set: %s%s", name, how, more)
}

// ResticRuntime is how restic is run where nothing says so: in a container on
// NethServer 8 and where there is an image of it, else as the one of PATH.
func (e *Environment) ResticRuntime() restic.Runtime {
	runtime := e.Get("NS8_RESTIC_RUNTIME")
	switch {
	case runtime != "":
		return restic.Runtime(runtime)
	case e.OnNS8(), e.Get("RESTIC_IMAGE") != "":
		return restic.Podman
	}
	return restic.Native
}

// unreadable names the files that could have held a variable but could not be
// read, for the end of an error text.
func (e *Environment) unreadable() string {
	var text strings.Builder
	for _, file := range e.files() {
		if file.values(); file.err != nil && !errors.Is(file.err, fs.ErrNotExist) {
			fmt.Fprintf(&text, "; %v", file.err)
		}
	}
	return text.String()
}

// own returns a variable of the module itself: the node's files are not asked,
// so that a half-set environment is never completed by another agent's.
func (e *Environment) own(name string) (string, error) {
	if value, ok := e.Lookup(name); ok && value != "" {
		return value, nil
	}
	if _, ok := e.Lookup("AGENT_STATE_DIR"); ok {
		if value := e.files()[0].values()[name]; value != "" {
			return value, nil
		}
	}
	return "", e.notSet(name, "")
}

// ModuleID is the module's name in the cluster.
func (e *Environment) ModuleID() (string, error) { return e.own("MODULE_ID") }

// ModuleUUID is the module's identity, which its repositories are named by.
func (e *Environment) ModuleUUID() (string, error) { return e.own("MODULE_UUID") }

// imageURL is where the module's image comes from.
func (e *Environment) imageURL() (string, error) { return e.own("IMAGE_URL") }

// StateDir is the directory of the module's own data.
func (e *Environment) StateDir() (string, error) { return e.own("AGENT_STATE_DIR") }

// InstallDir is the directory of the module's programs and their configuration.
func (e *Environment) InstallDir() (string, error) { return e.own("AGENT_INSTALL_DIR") }

// OnNS8 reports whether this is a node of NethServer 8: there is a core.env. Elsewhere
// modules are those of gatewayctl module add.
func (e *Environment) OnNS8() bool {
	files := e.files()
	_, err := os.Stat(files[len(files)-1].path)
	return !errors.Is(err, fs.ErrNotExist)
}

// TaskID is the agent's task, or "" when not run by the agent.
func (e *Environment) TaskID() string {
	id, _ := e.Lookup("AGENT_TASK_ID")
	return id
}

// ResticImage is the container image of restic.
func (e *Environment) ResticImage() (string, error) {
	if image := e.Get("RESTIC_IMAGE"); image != "" {
		return image, nil
	}
	if e.OnNS8() {
		return "", exit.Failf(exit.Usage, "RESTIC_IMAGE is not set: set it in %s%s", CoreEnv, e.unreadable())
	}
	return "", exit.Failf(exit.Usage, "RESTIC_IMAGE is not set: set it to the container image of restic, or NS8_RESTIC_RUNTIME to native, so that the restic of PATH is run%s", e.unreadable())
}

// GatewayURL is the base of all repositories, without a slash at the end.
// NS8_GATEWAY_URL in the process environment overrides it.
func (e *Environment) GatewayURL() string {
	override, _ := e.Lookup("NS8_GATEWAY_URL")
	return gatehttp.Base(cmp.Or(override, "http://127.0.0.1:4694"))
}

// Credentials are a Redis user and password, which the gateway takes too.
type Credentials struct{ User, Password string }

// String keeps the password out of every log and error text.
func (c Credentials) String() string { return c.User + ":***" }

// GoString does the same for %#v.
func (c Credentials) GoString() string { return c.String() }

// Credentials returns REDIS_USER and REDIS_PASSWORD, both from one place.
func (e *Environment) Credentials() (Credentials, error) {
	login, err := e.processLogin()
	if err != nil {
		return Credentials{}, err
	}
	if login.User != "" {
		return checkCredentials(login.User, login.Password, "the environment")
	}
	if found, err := e.fileCredentials(); found.User != "" {
		return found, err
	}
	_, err = e.need("REDIS_USER")
	return Credentials{}, err
}

// fileCredentials are those of the first file that names a user; none where no
// file does.
func (e *Environment) fileCredentials() (Credentials, error) {
	for _, file := range e.files() {
		if user := file.values()["REDIS_USER"]; user != "" {
			found, err := checkCredentials(user, file.values()["REDIS_PASSWORD"], file.path)
			found.User = user
			return found, err
		}
	}
	return Credentials{}, nil
}

func checkCredentials(user, password, place string) (Credentials, error) {
	if password == "" {
		return Credentials{}, exit.Failf(exit.Usage, "REDIS_PASSWORD is not set beside REDIS_USER in %s", place)
	}
	return Credentials{user, password}, nil
}

// envFile is a file of KEY=VALUE lines, read when first needed.
type envFile struct {
	path string
	once sync.Once
	vars map[string]string
	err  error
}

func newEnvFile(path string) *envFile { return &envFile{path: path} }

// values returns the file's variables; none where the file cannot be read, and
// then err says why.
func (f *envFile) values() map[string]string {
	f.once.Do(func() {
		var data []byte
		if data, f.err = os.ReadFile(f.path); f.err == nil {
			f.vars = envfile.Parse(data)
		}
	})
	return f.vars
}

// LoadFile puts the variables of a file into the environment, before those that are
// there. Where the file has a login or a server, nothing of another one stays.
func (e *Environment) LoadFile(path string) error {
	return exit.With(exit.Usage, envfile.Load(path, e.Set))
}

// NodeCredentials are those of a node, which the cluster's agent and an administrator
// borrow.
func (e *Environment) NodeCredentials() (Credentials, error) {
	login, err := e.processLogin()
	if err != nil {
		return Credentials{}, err
	}
	if strings.HasPrefix(login.User, "node/") {
		return checkCredentials(login.User, login.Password, "the environment")
	}
	for _, file := range e.files() {
		if user := file.values()["REDIS_USER"]; strings.HasPrefix(user, "node/") {
			return checkCredentials(user, file.values()["REDIS_PASSWORD"], file.path)
		}
	}
	how := `give the file that "gatewayctl node add --env-file" wrote, with --env-file FILE before the command or in NS8_AGENT_ENV`
	if e.OnNS8() {
		how = NodeAgentEnv + " must be there, or NS8_AGENT_ENV must name it"
	}
	return Credentials{}, exit.Failf(exit.Usage, "no credentials of a node: REDIS_USER must be node/…, or %s%s", how, e.unreadable())
}

// GatewayCredentials returns credentials that the gateway knows: our own where we are a node or a
// module, and else a node's.
func (e *Environment) GatewayCredentials() (Credentials, error) {
	login, err := e.Credentials()
	if err != nil || strings.HasPrefix(login.User, "node/") || strings.HasPrefix(login.User, "module/") {
		return login, err
	}
	return e.NodeCredentials()
}
