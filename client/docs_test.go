package client

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/client/runner"
	"github.com/rclone-gateway/rclone-gateway/internal/docgen"
	"github.com/rclone-gateway/rclone-gateway/internal/docgen/docgentest"
	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

func TestReference(t *testing.T) {
	t.Parallel()
	var w strings.Builder
	fmt.Fprintf(&w, `# gatewayctl

The commands beside the applications. These can be called by their own names, too,
through links as `+"`gatewayctl install-links`"+` makes them: %s.
`, strings.Join(appletNames(), ", "))
	w.WriteString(docgen.Markdown(newProgram()))
	writeEnvironment(t, &w)
	writeProviders(&w)
	docgentest.Page(t, "gatewayctl.md", w.String())
}

func newProgram() *cobra.Command {
	sys := host.NewSystem(os.Stdin, os.Stdout, os.Stderr)
	root := newRoot(sys, program)
	addGlobals(sys, root)
	return root
}

// environmentMeaning describes every variable that the client asks for.
var environmentMeaning = map[string]string{
	"REDIS_ADDRESS":            "`none` where this host reaches no Redis, and modules ask the gateway; else `host:port` of Redis",
	"AGENT_COMFD":              "file descriptor that progress is written to, in the agent's format",
	"AGENT_ID":                 "names restic's container, where there is no `MODULE_ID`",
	"AGENT_INSTALL_DIR":        "the module's programs; `etc/state-include.conf`, `etc/state-exclude.conf` and `actions/restore-module` are looked for there",
	"AGENT_STATE_DIR":          "the module's state; `environment` and `agent.env` in it are read for variables that are not set",
	"AGENT_TASK_ID":            "is set where the agent runs the command, and turns its progress on",
	"STATE_DIRECTORY":          "the same, as systemd sets it",
	"GATEWAYCTL_STATE_DIR":     "where run-backup keeps what runs of this node must remember",
	"GATEWAYCTL_NOTIFY_CONFIG": "the file of channels that people are told over, elsewhere than in `" + notifyfile.DefaultPath + "`",
	"GATEWAY_STATE_DIR":        "the gateway's state directory, for `trash empty`",
	"CACHE_DIRECTORY":          "where `snapshot` keeps what it has read, and restic its cache, as systemd sets it",
	"XDG_CACHE_HOME":           "the same, where there is no `CACHE_DIRECTORY`",
	"HOME":                     "the same, in `.cache` below, where there is neither",
	"GATEWAY_MODULES_DIR":      "the directory with a file for each module that says how it is run on this node, elsewhere than in `" + runner.DefaultDir + "`",
	"IMAGE_URL":                "the module's image; its name is the application's",
	"MODULE_ID":                "the module, such as `dokuwiki1`",
	"MODULE_UUID":              "the UUID of the module",
	"NODE_ID":                  "this node's ID, under which it is remembered which snapshots were acknowledged (default: that of REDIS_USER, where it is node/…)",
	"NS8_AGENT_ENV":            "the node's `agent.env`, elsewhere than in `" + host.NodeAgentEnv + "`",
	"NS8_CORE_ENV":             "the file with `RESTIC_IMAGE`, elsewhere than in `" + host.CoreEnv + "`",
	"NS8_GATEWAY_URL":          "the gateway, elsewhere than at `http://127.0.0.1:4694`; `http+unix:///path/of/socket:` for a unix socket",
	"NS8_LOG_JSON":             "`1`: module-backup and restore-module end with a line of JSON on stderr",
	"NS8_METRICS_DIR":          "where module-backup and restore-module write files for Prometheus",
	"NS8_RESTIC_RUNTIME":       "`podman` or `native`: how restic is run",
	"PATH":                     "where `module-dump-state`, `module-cleanup-state`, `podman` and `restic` are looked for",
	"REDIS_USER":               "user for Redis and for the gateway",
	"RESTIC_CACERT":            "files of CA certificates, separated by commas, that the gateway's must be signed by",
	"RESTIC_TLS_CLIENT_CERT":   "file of the certificate and its key that the gateway wants of clients",
	"RESTIC_IMAGE":             "the image that restic is run from",
}

func writeEnvironment(t *testing.T, w *strings.Builder) {
	t.Helper()
	w.WriteString(`
## Environment

A variable is looked for in the process's environment, then in the module's
` + "`environment` and `agent.env`" + `, then in the node's ` + "`agent.env`, then in `core.env`" + `.
What --env-file names goes before all of them. Options that have a variable are in the
table of gatewayctl's own options.

| variable | what it is for |
|---|---|
`)
	fmt.Fprintf(w, "| `%s` | password of the user of `REDIS_USER`, for Redis and for the gateway; an error beside `REDIS_PASSWORD_FILE` |\n", redisconn.PasswordVariable)
	fmt.Fprintf(w, "| `%s` | password of the Sentinels; an error beside `REDIS_SENTINEL_PASSWORD_FILE` |\n", redisconn.SentinelPasswordVariable)
	asked := askedVariables(t)
	for _, name := range asked {
		if environmentMeaning[name] == "" {
			t.Errorf("$%s is asked for and environmentMeaning does not say what for", name)
		}
		fmt.Fprintf(w, "| `%s` | %s |\n", name, environmentMeaning[name])
	}
	for name := range environmentMeaning {
		if !slices.Contains(asked, name) {
			t.Errorf("environmentMeaning describes $%s, which nothing asks for", name)
		}
	}
}

// askedVariables finds the variables that the client's code looks up by name.
func askedVariables(t *testing.T) []string {
	t.Helper()
	names := map[string]bool{}
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			function, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"get", "Get", "need", "own", "lookup", "Lookup", "Getenv", "LookupEnv"}, function.Sel.Name) {
				return true
			}
			if literal, ok := call.Args[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				name, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Error(err)
				}
				names[name] = true
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(names))
}

// sources parses the files of all the client's rooms, without their tests.
func sources(t *testing.T) []*ast.File {
	t.Helper()
	rooms, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	own, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range append(own, rooms...) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

func writeProviders(w *strings.Builder) {
	w.WriteString(`
## Providers of destinations

What ` + "`gatewayctl destination add`" + ` takes: secrets by ` + "`--secret-file`, the others by `--set`" + `.

| provider | storage | URL | parameters |
|---|---|---|---|
`)
	for _, p := range destination.Providers {
		var parameters []string
		for _, param := range p.Parameters {
			text := "`" + param.Name + "`: " + param.About
			if param.Secret {
				text += ", secret"
			}
			if param.Optional {
				text += ", optional"
			}
			parameters = append(parameters, text)
		}
		url := ""
		if p.URLHint != "" {
			url = "`" + p.URLHint + "`"
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", p.Name, docgen.Cell(p.About), url, strings.Join(parameters, "<br>"))
	}
}

func TestManualPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pages := manual()
	pages.Date = "2026-03-04" // a test binary does not know its commit
	if err := pages.Write(newProgram(), dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range appletNames() {
		if _, err := os.Stat(filepath.Join(dir, name+".1")); err != nil {
			t.Errorf("the command %s has no page of its own name: %v", name, err)
		}
	}
	docgentest.Lint(t, dir)
}
