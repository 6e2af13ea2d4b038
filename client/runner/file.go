package runner

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// DefaultDir is the directory of the files, unless $GATEWAY_MODULES_DIR overrides it.
const DefaultDir = "/etc/rclone-gateway/modules.d"

// A Runner says how to run a module's commands.
type Runner struct {
	// EnvFile is the module's environment file, as "module add --env-file" writes it; it is
	// passed to gatewayctl as --env-file.
	EnvFile string
	// User is the system user for the module's commands; "" is the user of the backups.
	User string
	// Command is a prefix for the command line, such as docker exec or runagent -m. Without
	// one, this program runs directly.
	Command []string
}

// Dir is a directory with a file for each module.
type Dir string

// DirOf returns the directory for an environment.
func DirOf(env *host.Environment) Dir {
	if dir, _ := env.Lookup("GATEWAY_MODULES_DIR"); dir != "" {
		return Dir(dir)
	}
	return DefaultDir
}

// Path returns the path of a module's file.
func (d Dir) Path(id string) string { return filepath.Join(string(d), id) }

// Read reads the file of a module. The error is [fs.ErrNotExist] if it does not exist,
// otherwise it says what is wrong.
func (d Dir) Read(id string) (Runner, error) {
	if !host.ModuleIDPattern.MatchString(id) {
		return Runner{}, exit.Failf(exit.Usage, "%q is not a module ID", host.Printable(id))
	}
	data, err := readTrusted(d.Path(id))
	if err != nil {
		return Runner{}, err
	}
	r, err := parse(data)
	if err != nil {
		return Runner{}, exit.Failf(exit.Usage, "%s: %w", d.Path(id), err)
	}
	return r, r.check(d.Path(id))
}

// Modules returns the modules with a file, sorted.
func (d Dir) Modules() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the directory of modules: %w", err)
	}
	var ids []string
	for _, entry := range entries {
		if host.ModuleIDPattern.MatchString(entry.Name()) {
			ids = append(ids, entry.Name())
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Write writes the file of a module, and creates the directory if missing.
func (d Dir) Write(id string, r Runner) error {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return fmt.Errorf("make the directory of modules: %w", err)
	}
	if err := atomicfile.Write(d.Path(id), []byte(r.text(id)), 0o644); err != nil {
		return fmt.Errorf("write how module %s is run: %w", id, err)
	}
	return nil
}

// Remove deletes the file of a module, if there is one.
func (d Dir) Remove(id string) error {
	err := os.Remove(d.Path(id))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("remove how module %s was run: %w", id, err)
}

// The keys of a file.
const (
	keyEnvFile = "ENV_FILE"
	keyUser    = "USER"
	keyCommand = "COMMAND"
)

func (r Runner) text(id string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "# How the commands of module %s are run: see \"gatewayctl module add --help\".\n", id)
	for _, line := range [][2]string{{keyEnvFile, r.EnvFile}, {keyUser, r.User}, {keyCommand, joinWords(r.Command)}} {
		if line[1] != "" {
			fmt.Fprintf(&text, "%s=%s\n", line[0], line[1])
		}
	}
	return text.String()
}

// parse parses KEY=VALUE lines. An unknown key is an error: after a typo in USER, the
// module would run with too many rights.
func parse(data []byte) (Runner, error) {
	var r Runner
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := strings.TrimSpace(string(line))
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		key, value, found := strings.Cut(text, "=")
		value = strings.TrimSpace(value)
		switch key = strings.TrimSpace(key); {
		case !found:
			return Runner{}, fmt.Errorf("line %d is not KEY=VALUE", number)
		case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }):
			return Runner{}, fmt.Errorf("line %d holds control characters", number)
		case key == keyEnvFile:
			r.EnvFile = value
		case key == keyUser:
			r.User = value
		case key == keyCommand:
			var err error
			if r.Command, err = SplitWords(value); err != nil {
				return Runner{}, fmt.Errorf("line %d: %w", number, err)
			}
		default:
			return Runner{}, fmt.Errorf("line %d: there is no key %s: it is %s, %s or %s", number, host.Printable(key), keyEnvFile, keyUser, keyCommand)
		}
	}
	return r, nil
}

// SplitWords splits a command line at spaces. Double quotes protect spaces; no shell is
// involved.
func SplitWords(text string) ([]string, error) {
	reader := csv.NewReader(strings.NewReader(text))
	reader.Comma = ' '
	words, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the command %q has quotes within a word, or none at its end: put quotes around whole words", host.Printable(text))
	}
	words = slices.DeleteFunc(words, func(word string) bool { return word == "" })
	return words, nil
}

func joinWords(words []string) string {
	var text strings.Builder
	writer := csv.NewWriter(&text)
	writer.Comma = ' '
	if len(words) == 0 || writer.Write(words) != nil {
		return ""
	}
	writer.Flush()
	return strings.TrimSpace(text.String())
}

// check refuses a runner that cannot work, or that other users could manipulate.
func (r Runner) check(where string) error {
	if r.EnvFile == "" && len(r.Command) == 0 {
		return exit.Failf(exit.Usage, "%s has neither %s nor %s: how is the module to be run?", where, keyEnvFile, keyCommand)
	}
	if r.EnvFile != "" && len(r.Command) > 0 {
		return exit.Failf(exit.Usage, "%s has both %s and %s: the command has an environment of its own", where, keyEnvFile, keyCommand)
	}
	if r.EnvFile == "" {
		return nil
	}
	if !filepath.IsAbs(r.EnvFile) {
		return exit.Failf(exit.Usage, "%s: %s %s must begin with /", where, keyEnvFile, host.Printable(r.EnvFile))
	}
	return r.checkEnvFile()
}
