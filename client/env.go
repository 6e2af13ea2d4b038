package client

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// Where NS8 keeps environment files. NS8_AGENT_ENV and NS8_CORE_ENV in the
// process environment name others.
const (
	nodeAgentEnv = "/var/lib/nethserver/node/state/agent.env"
	coreEnv      = "/etc/nethserver/core.env"
)

// environment is the agent's environment. A variable comes from the first place
// that has it: the process environment, then, in the module's state directory,
// the files environment and agent.env, then the node's agent.env, then core.env.
// Files are read only when a variable is looked for in them. Safe for concurrent
// use.
type environment struct {
	lookup func(string) (string, bool)
	// set changes the process environment; a variable that is empty counts as unset.
	set func(name, value string) error

	once    sync.Once
	sources []*envFile
}

// newEnvironment returns an environment whose variables lookup knows. What a file
// of variables sets is set for this process and its children.
func newEnvironment(lookup func(string) (string, bool)) *environment {
	return &environment{lookup: lookup, set: os.Setenv}
}

// files are the places behind the process environment, in order.
func (e *environment) files() []*envFile {
	e.once.Do(func() {
		if state, ok := e.lookup("AGENT_STATE_DIR"); ok && state != "" {
			e.sources = append(e.sources,
				newEnvFile(filepath.Join(state, "environment")),
				newEnvFile(filepath.Join(state, "agent.env")))
		}
		agent, _ := e.lookup("NS8_AGENT_ENV")
		core, _ := e.lookup("NS8_CORE_ENV")
		e.sources = append(e.sources, newEnvFile(cmp.Or(agent, nodeAgentEnv)), newEnvFile(cmp.Or(core, coreEnv)))
	})
	return e.sources
}

// get returns the variable, or "" where it is nowhere or empty.
func (e *environment) get(name string) string {
	if value, ok := e.lookup(name); ok && value != "" {
		return value
	}
	for _, file := range e.files() {
		if value := file.values()[name]; value != "" {
			return value
		}
	}
	return ""
}

// need returns the variable, or an error that tells how to get it.
func (e *environment) need(name string) (string, error) {
	value := e.get(name)
	if value == "" {
		return "", e.notSet(name, e.unreadable())
	}
	return value, nil
}

// notSet says how to get a variable that is not set: as is usual where we are.
func (e *environment) notSet(name, more string) error {
	how := `give the file that "gatewayctl module add --env-file" wrote, with --env-file FILE before the command`
	if e.onNS8() {
		how = "run this inside the module's environment (runagent -m MODULE …)"
	}
	return failf(exitUsage, "%s is not set: %s%s", name, how, more)
}

// resticRuntime is how restic is run where nothing says so: in a container on
// NethServer 8 and where there is an image of it, else as the one of PATH.
func (e *environment) resticRuntime() restic.Runtime {
	runtime := e.get("NS8_RESTIC_RUNTIME")
	switch {
	case runtime != "":
		return restic.Runtime(runtime)
	case e.onNS8(), e.get("RESTIC_IMAGE") != "":
		return restic.Podman
	}
	return restic.Native
}

// unreadable names the files that could have held a variable but could not be
// read, for the end of an error text.
func (e *environment) unreadable() string {
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
func (e *environment) own(name string) (string, error) {
	if value, ok := e.lookup(name); ok && value != "" {
		return value, nil
	}
	if _, ok := e.lookup("AGENT_STATE_DIR"); ok {
		if value := e.files()[0].values()[name]; value != "" {
			return value, nil
		}
	}
	return "", e.notSet(name, "")
}

// moduleID is the module's name in the cluster.
func (e *environment) moduleID() (string, error) { return e.own("MODULE_ID") }

// moduleUUID is the module's identity, which its repositories are named by.
func (e *environment) moduleUUID() (string, error) { return e.own("MODULE_UUID") }

// imageURL is where the module's image comes from.
func (e *environment) imageURL() (string, error) { return e.own("IMAGE_URL") }

// stateDir is the directory of the module's own data.
func (e *environment) stateDir() (string, error) { return e.own("AGENT_STATE_DIR") }

// installDir is the directory of the module's programs and their configuration.
func (e *environment) installDir() (string, error) { return e.own("AGENT_INSTALL_DIR") }

// onNS8 reports whether this is a node of NethServer 8: there is a core.env. Elsewhere
// modules are those of gatewayctl module add.
func (e *environment) onNS8() bool {
	files := e.files()
	_, err := os.Stat(files[len(files)-1].path)
	return !errors.Is(err, fs.ErrNotExist)
}

// taskID is the agent's task, or "" when not run by the agent.
func (e *environment) taskID() string {
	id, _ := e.lookup("AGENT_TASK_ID")
	return id
}

// resticImage is the container image of restic.
func (e *environment) resticImage() (string, error) {
	if image := e.get("RESTIC_IMAGE"); image != "" {
		return image, nil
	}
	if e.onNS8() {
		return "", failf(exitUsage, "RESTIC_IMAGE is not set: set it in %s%s", coreEnv, e.unreadable())
	}
	return "", failf(exitUsage, "RESTIC_IMAGE is not set: set it to the container image of restic, or NS8_RESTIC_RUNTIME to native, so that the restic of PATH is run%s", e.unreadable())
}

// gatewayURL is the base of all repositories, without a slash at the end.
// NS8_GATEWAY_URL in the process environment overrides it.
func (e *environment) gatewayURL() string {
	override, _ := e.lookup("NS8_GATEWAY_URL")
	return gatehttp.Base(cmp.Or(override, "http://127.0.0.1:4694"))
}

// credentials are a Redis user and password, which the gateway takes too.
type credentials struct{ user, password string }

// String keeps the password out of every log and error text.
func (c credentials) String() string { return c.user + ":***" }

// GoString does the same for %#v.
func (c credentials) GoString() string { return c.String() }

// credentials returns REDIS_USER and REDIS_PASSWORD, both from one place.
func (e *environment) credentials() (credentials, error) {
	login, err := e.processLogin()
	if err != nil {
		return credentials{}, err
	}
	if login.user != "" {
		return checkCredentials(login.user, login.password, "the environment")
	}
	if found, err := e.fileCredentials(); found.user != "" {
		return found, err
	}
	_, err = e.need("REDIS_USER")
	return credentials{}, err
}

// fileCredentials are those of the first file that names a user; none where no
// file does.
func (e *environment) fileCredentials() (credentials, error) {
	for _, file := range e.files() {
		if user := file.values()["REDIS_USER"]; user != "" {
			found, err := checkCredentials(user, file.values()["REDIS_PASSWORD"], file.path)
			found.user = user
			return found, err
		}
	}
	return credentials{}, nil
}

func checkCredentials(user, password, place string) (credentials, error) {
	if password == "" {
		return credentials{}, failf(exitUsage, "REDIS_PASSWORD is not set beside REDIS_USER in %s", place)
	}
	return credentials{user, password}, nil
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
			f.vars = parseEnv(data)
		}
	})
	return f.vars
}

// parseEnv reads KEY=VALUE lines as systemd's EnvironmentFile= and NS8's agent do
// for the values that NS8 writes: comments and lines without "=" are skipped, and
// one pair of quotes around the value is removed.
func parseEnv(data []byte) map[string]string {
	vars := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		vars[strings.TrimSpace(key)] = unquote(strings.TrimSpace(value))
	}
	return vars
}

func unquote(value string) string {
	for _, quote := range []string{`"`, `'`} {
		if inner, ok := strings.CutPrefix(value, quote); ok {
			if inner, ok := strings.CutSuffix(inner, quote); ok {
				return inner
			}
		}
	}
	return value
}

// variable is a line of an environment file.
type variable struct{ name, value string }

// loadFile puts the variables of a file into the environment, before those that are
// there. Where the file has a login or a server, nothing of another one stays.
func (e *environment) loadFile(path string) error {
	if path == "" {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return failf(exitUsage, "--env-file: %w", err)
	}
	vars := parseEnv(data)
	for _, group := range [][]string{loginVariables, serverVariables} {
		if !slices.ContainsFunc(group, func(name string) bool { return vars[name] != "" }) {
			continue
		}
		for _, name := range group {
			if err := e.set(name, ""); err != nil {
				return err
			}
		}
	}
	for name, value := range vars {
		if err := e.set(name, value); err != nil {
			return failf(exitUsage, "--env-file %s: %w", path, err)
		}
	}
	return nil
}

// nodeCredentials are those of a node, which the cluster's agent borrows.
func (e *environment) nodeCredentials() (credentials, error) {
	login, err := e.processLogin()
	if err != nil {
		return credentials{}, err
	}
	if strings.HasPrefix(login.user, "node/") {
		return checkCredentials(login.user, login.password, "the environment")
	}
	for _, file := range e.files() {
		if user := file.values()["REDIS_USER"]; strings.HasPrefix(user, "node/") {
			return checkCredentials(user, file.values()["REDIS_PASSWORD"], file.path)
		}
	}
	how := `give the file that "gatewayctl node add --env-file" wrote, with --env-file FILE before the command or in NS8_AGENT_ENV`
	if e.onNS8() {
		how = nodeAgentEnv + " must be there, or NS8_AGENT_ENV must name it"
	}
	return credentials{}, failf(exitUsage, "no credentials of a node: REDIS_USER must be node/…, or %s%s", how, e.unreadable())
}
