// Package envfile reads and writes the text of files of environment variables, as
// "gatewayctl node add" and "module add" make them. It does not know what the variables
// are for, but for those of a connection to Redis.
package envfile

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// LoginVariables and ServerVariables belong to one connection to Redis: if a file sets some
// of a group, none of the group is taken from elsewhere.
var (
	LoginVariables  = []string{"REDIS_USER", "REDIS_PASSWORD", "REDIS_PASSWORD_FILE"}
	ServerVariables = []string{"REDIS_URL", "REDIS_SENTINEL", "REDIS_SENTINEL_MASTER", "REDIS_ADDRESS", "REDIS_REPLICA_ADDRESS"}
)

// Load passes the variables of a file to set, which gives them precedence over existing
// ones. If the file has a login or a server, existing variables of that group are first set
// to "". The error names --env-file; without a path nothing is loaded.
func Load(path string, set func(name, value string) error) error {
	if path == "" {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("--env-file: %w", err)
	}
	vars := Parse(data)
	for _, group := range [][]string{LoginVariables, ServerVariables} {
		if !slices.ContainsFunc(group, func(name string) bool { return vars[name] != "" }) {
			continue
		}
		for _, name := range group {
			if err := set(name, ""); err != nil {
				return err
			}
		}
	}
	for name, value := range vars {
		if err := set(name, value); err != nil {
			return fmt.Errorf("--env-file %s: %w", path, err)
		}
	}
	return nil
}

// Parse reads KEY=VALUE lines as systemd's EnvironmentFile= and NS8's agent do
// for the values that NS8 writes: comments and lines without "=" are skipped, and
// one pair of quotes around the value is removed.
func Parse(data []byte) map[string]string {
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

var assignment = regexp.MustCompile(`(?m)^\s*([A-Za-z_][A-Za-z0-9_]*)\s*=`)

// Names are the names of the variables in a file, in its order, each once.
func Names(data []byte) []string {
	var names []string
	seen := map[string]bool{}
	for _, match := range assignment.FindAllSubmatch(data, -1) {
		if name := string(match[1]); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}
