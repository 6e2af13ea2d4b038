// Package imports holds the rules of who may import whom, as a test.
package imports

import (
	"go/parser"
	"go/token"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/rclone-gateway/rclone-gateway"
	rclone = "github.com/rclone/rclone"
	redis  = "github.com/redis/go-redis"
)

// A rule forbids the packages it is about to import others.
type rule struct {
	name string
	// about reports whether the rule is about a package, by its path in the module.
	about func(pkg string) bool
	// forbids reports whether an import, by its full path, breaks the rule.
	forbids func(imp string) bool
	// indirect extends the rule to what is imported through packages of this
	// module.
	indirect bool
	// tests extends the rule to the imports of test files.
	tests bool
}

var rules = []rule{
	{
		name: "only the rooms of gateway/remote and test support import rclone",
		about: not(either(
			only("gateway/remote"),
			of("gateway/remote/backend", "gateway/remote/command", "gateway/remote/gcs", "gateway/remote/lister", "gateway/remote/publish", "gateway/remote/s3api", "internal/rclone", "integration"),
		)),
		forbids: of(rclone),
		tests:   true,
	},
	{
		name:     "rclone's backends are opened without those who use them",
		about:    of("gateway/remote/backend"),
		forbids:  both(of(redis, module+"/gateway"), not(of(module+"/gateway/storage", module+"/gateway/remote/internal/noconfig"))),
		indirect: true,
	},
	{
		name:    "objects become visible without knowing the store over them",
		about:   of("gateway/remote/publish"),
		forbids: both(of(redis, module+"/gateway"), not(of(module+"/gateway/storage", module+"/gateway/remote/backend", module+"/gateway/remote/s3api"))),
	},
	{
		name:    "directories are listed without knowing stores",
		about:   of("gateway/remote/lister"),
		forbids: both(of(redis, module+"/gateway"), not(of(module+"/gateway/remote/backend"))),
	},
	{
		name:    "what asks S3 does not know stores, but what their errors are",
		about:   of("gateway/remote/s3api"),
		forbids: both(of(redis, module+"/gateway"), not(of(module+"/gateway/storage"))),
	},
	{
		name:    "the remote store knows neither Redis nor protocols",
		about:   only("gateway/remote"),
		forbids: both(of(redis, module+"/gateway"), not(of(module+"/gateway/storage", module+"/gateway/remote"))),
	},
	{
		name:     "the protocols import neither Redis nor rclone",
		about:    of("gateway/rest", "gateway/dav", "gateway/storetest", "gateway/conformance"),
		forbids:  of(redis, rclone, module+"/gateway/catalog"),
		indirect: true,
	},
	{
		name:     "objects' names are read from text alone",
		about:    of("gateway/rest/object"),
		forbids:  of(redis, rclone, module, "net/http"),
		indirect: true,
	},
	{
		name:     "the contract of stores imports nothing of the gateway",
		about:    of("gateway/storage"),
		forbids:  of(redis, rclone, module),
		indirect: true,
	},
	{
		name:     "the table of refusals imports of the gateway only the contract of stores",
		about:    of("gateway/refusal"),
		forbids:  both(of(redis, rclone, module), not(of(module+"/gateway/storage"))),
		indirect: true,
	},
	{
		name:    "connections are watched without knowing what requests want",
		about:   of("gateway/wire"),
		forbids: both(of(redis, rclone, module), not(of(module+"/gateway/refusal"))),
	},
	{
		name:     "the audit log is written by whoever does something, and knows nobody",
		about:    of("gateway/audit"),
		forbids:  of(redis, rclone, module),
		indirect: true,
	},
	{
		name:     "the form of what is saved is judged from its bytes alone",
		about:    of("gateway/form"),
		forbids:  both(of(redis, rclone, module), not(of(module+"/gateway/refusal", module+"/gateway/storage"))),
		indirect: true,
	},
	{
		name:     "repositories as they were know neither protocols nor who asks",
		about:    of("gateway/past"),
		forbids:  both(of(redis, rclone, module), not(of(module+"/gateway/trash", module+"/gateway/refusal", module+"/gateway/storage", module+"/internal"))),
		indirect: true,
	},
	{
		name:    "what guards a store knows neither protocols nor backends",
		about:   of("gateway/guard"),
		forbids: both(of(redis, rclone, module+"/gateway", "net/http"), not(of(module+"/gateway/storage", module+"/gateway/refusal", module+"/gateway/catalog"))),
	},
	{
		name:    "the live state answers no request",
		about:   of("gateway/live"),
		forbids: either(of("net/http", module+"/gateway/rest", module+"/gateway/dav", module+"/gateway/peer", module+"/gateway/metrics", module+"/gateway/examine"), only(module+"/gateway")),
	},
	{
		name:    "the metrics look at the state and decide nothing",
		about:   of("gateway/metrics"),
		forbids: either(of(redis, rclone, module+"/gateway/rest", module+"/gateway/dav", module+"/gateway/local", module+"/gateway/remote", module+"/gateway/examine"), only(module+"/gateway")),
	},
	{
		name:    "peers are reached without the storages, and serve nothing",
		about:   of("gateway/peer"),
		forbids: either(of(redis, rclone, module+"/gateway/dav", module+"/gateway/local", module+"/gateway/remote", module+"/gateway/metrics", module+"/gateway/examine"), only(module+"/gateway")),
	},
	{
		name:    "what examines destinations serves no request",
		about:   of("gateway/examine"),
		forbids: either(of(rclone, "net/http", module+"/gateway/rest", module+"/gateway/dav", module+"/gateway/metrics"), only(module+"/gateway")),
	},
	{
		name:    "what looks for missing backups opens no store of its own and serves nothing",
		about:   of("gateway/coverage"),
		forbids: either(of(redis, rclone, "net/http", module+"/gateway/rest", module+"/gateway/dav", module+"/gateway/local", module+"/gateway/remote", module+"/gateway/metrics", module+"/gateway/examine"), only(module+"/gateway")),
	},
	{
		name:     "the trash is a store around another one, and knows nothing else",
		about:    of("gateway/trash"),
		forbids:  both(of(redis, rclone, module+"/gateway"), not(of(module+"/gateway/storage", module+"/gateway/trash/expiry", module+"/gateway/trash/ledger"))),
		indirect: true,
	},
	{
		name:     "what the trash writes down does not know what is done with it",
		about:    of("gateway/trash/ledger"),
		forbids:  both(of(redis, rclone, module), not(of(module+"/gateway/storage"))),
		indirect: true,
	},
	{
		name:    "the time by which things expire knows no trash",
		about:   only("gateway/trash/expiry"),
		forbids: of(redis, rclone, module+"/gateway"),
	},
	{
		name:    "who may do what is decided without protocols and stores",
		about:   of("gateway/access"),
		forbids: either(of(redis, rclone, module+"/gateway/rest", module+"/gateway/dav", module+"/gateway/peer", module+"/gateway/local", module+"/gateway/remote", module+"/gateway/observe", module+"/gateway/metrics"), only(module+"/gateway")),
	},
	{
		name:    "what observes requests knows neither who calls nor how stores are opened",
		about:   of("gateway/observe"),
		forbids: either(of(redis, rclone, module+"/gateway/dav", module+"/gateway/local", module+"/gateway/remote", module+"/gateway/examine", module+"/gateway/admin"), either(only(module+"/gateway"), only(module+"/gateway/rest"))),
	},
	{
		name:    "administrators' commands are answered without knowing the way of a request",
		about:   of("gateway/admin"),
		forbids: either(of(redis, rclone, module+"/gateway/rest", module+"/gateway/dav", module+"/gateway/peer"), only(module+"/gateway")),
	},
	{
		name:    "what keeps the audit log in step with Redis sees no request",
		about:   of("gateway/auditsync"),
		forbids: both(of(rclone, module+"/gateway", "net/http"), not(of(module+"/gateway/audit", module+"/gateway/catalog", module+"/gateway/refusal"))),
	},
	{
		name:    "what is shown is put together without serving anything",
		about:   only("gateway/status"),
		forbids: either(of(rclone, "net/http", module+"/client", module+"/gateway/rest", module+"/gateway/dav", module+"/gateway/local", module+"/gateway/remote", module+"/gateway/metrics", module+"/gateway/examine"), only(module+"/gateway")),
	},
	{
		name:    "the dashboard shows facts, and knows neither protocols nor backends",
		about:   only("gateway/dashboard"),
		forbids: either(of(rclone, module+"/client", module+"/gateway/rest", module+"/gateway/dav", module+"/gateway/local", module+"/gateway/remote", module+"/gateway/metrics"), only(module+"/gateway")),
	},
	{
		name:    "pages are made of facts alone",
		about:   of("gateway/status/page"),
		forbids: both(of(redis, rclone, "net/http", module), not(of(module+"/gateway/status"))),
	},
	{
		name:    "sessions know neither HTTP nor Redis",
		about:   of("gateway/status/session"),
		forbids: both(of(redis, rclone, "net/http", module), not(of(module+"/internal/atomicfile"))),
	},
	{
		name:    "leases are kept in Redis, and know neither requests nor stores",
		about:   of("gateway/lease"),
		forbids: either(of(rclone, "net/http", module+"/gateway/rest", module+"/gateway/dav", module+"/gateway/local", module+"/gateway/remote", module+"/gateway/live", module+"/gateway/metrics", module+"/gateway/storage"), only(module+"/gateway")),
	},
	{
		name:    "modules are answered without knowing requests and stores",
		about:   of("gateway/moduleapi"),
		forbids: either(of(rclone, "net/http", module+"/client", module+"/gateway/rest", module+"/gateway/dav", module+"/gateway/local", module+"/gateway/remote", module+"/gateway/metrics", module+"/gateway/live"), only(module+"/gateway")),
	},
	{
		name:    "an operation is a name and imports nothing",
		about:   of("gateway/operation"),
		forbids: func(string) bool { return true },
	},
	{
		name:     "the local store imports neither Redis nor rclone",
		about:    of("gateway/local"),
		forbids:  of(redis, rclone, module+"/gateway/catalog", module+"/gateway/rest", module+"/gateway/dav"),
		indirect: true,
	},
	{
		name:     "the catalog imports neither HTTP serving nor stores nor rclone",
		about:    of("gateway/catalog"),
		forbids:  both(of(rclone, module+"/gateway"), not(of(module+"/gateway/catalog"))),
		indirect: true,
	},
	{
		name:    "the benchmark's client knows no server",
		about:   of("bench/sidebyside/restclient"),
		forbids: of(redis, rclone, module),
	},
	{
		name:    "the servers that are compared are started without knowing what is measured",
		about:   of("bench/sidebyside/servers"),
		forbids: both(of(rclone, module), not(of(module+"/gateway/catalog", module+"/bench/sidebyside/restclient", module+"/bench/sidebyside/far"))),
	},
	{
		name:     "settings and connections to Redis are described without the programs that use them",
		about:    of("internal/redisconn", "internal/envfile", "internal/flagenv", "internal/secretfile"),
		forbids:  of(rclone, module+"/gateway", module+"/client", module+"/cmd"),
		indirect: true,
	},
	{
		name:     "the client imports of the gateway only the catalog",
		about:    of("client", "cmd/gatewayctl"),
		forbids:  both(of(rclone, module+"/gateway"), not(of(module+"/gateway/catalog"))),
		indirect: true,
	},
}

// clientLayers are the rooms of the client, from the ground up. A room imports rooms of
// lower layers only; those of the ground may know one another.
var clientLayers = [][]string{
	{"account", "destination", "exit", "gatehttp", "naming", "restic", "resticpassword", "retention"},
	{"host"},
	{"actioninput"},
	{"gatewayadmin", "inventory", "keys", "lease", "moduleapi", "names", "ns8action", "ownpassword", "registry", "runner", "state"},
	{"message", "notifyfile"},
	{"hook", "outbox"},
	{"channel", "join", "schedule"},
	{"units"},
	{"history"},
	{"run"},
	{"facts"},
	{"locate", "snapshot"},
	{"expire", "session"},
	{"backup", "restore", "runs", "wrapper", "accounts", "destinations", "points", "rotate", "schedules", "trash"},
	{"announce", "notify", "runlive", "runmetrics"},
	{"drill", "scheduler", "setup"},
	{"runbackup"},
}

// clientRules are the rules for the rooms of the client.
func clientRules() []rule {
	var rules []rule
	for i, layer := range clientLayers {
		for _, room := range layer {
			forbidden := []func(string) bool{only(module + "/client")}
			for j, other := range clientLayers[i:] {
				for _, name := range other {
					if name != room && i+j > 0 {
						forbidden = append(forbidden, of(module+"/client/"+name))
					}
				}
			}
			rules = append(rules, rule{
				name:  "client/" + room + " imports only rooms below it",
				about: of("client/" + room),
				forbids: func(p string) bool {
					return slices.ContainsFunc(forbidden, func(f func(string) bool) bool { return f(p) })
				},
			})
		}
	}
	return rules
}

func TestImports(t *testing.T) {
	t.Parallel()
	code, tests := readImports(t, filepath.Join("..", ".."))
	for pkg := range code {
		if room, ok := strings.CutPrefix(pkg, "client/"); ok && !slices.Contains(slices.Concat(clientLayers...), room) {
			t.Errorf("%s has no layer among the rooms of the client", pkg)
		}
	}
	for _, r := range slices.Concat(rules, clientRules()) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for broken := range violations(r, code, tests) {
				t.Error(broken)
			}
		})
	}
}

func TestRulesCatchViolations(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name        string
		code, tests graph
		want        []string
	}{
		{
			name: "the remote store imports rclone",
			code: graph{"gateway/remote": {rclone + "/fs"}},
		},
		{
			name: "a new room below the remote store imports rclone",
			code: graph{"gateway/remote/extra": {rclone + "/fs"}},
			want: []string{"gateway/remote/extra imports " + rclone + "/fs"},
		},
		{
			name: "the gateway imports rclone",
			code: graph{"gateway": {rclone + "/fs"}},
			want: []string{"gateway imports " + rclone + "/fs"},
		},
		{
			name:  "a test of the gateway imports rclone",
			code:  graph{"gateway": nil},
			tests: graph{"gateway": {rclone + "/fs"}},
			want:  []string{"gateway imports " + rclone + "/fs"},
		},
		{
			name: "the client reaches rclone through another package",
			code: graph{
				"client":         {module + "/internal/x"},
				"internal/x":     {module + "/gateway/remote"},
				"gateway/remote": nil,
			},
			want: []string{"client → internal/x imports " + module + "/gateway/remote"},
		},
		{
			name: "the client imports the catalog",
			code: graph{"client/restic": {module + "/gateway/catalog"}, "gateway/catalog": {redis + "/v9"}},
		},
		{
			name: "a protocol imports Redis",
			code: graph{"gateway/rest": {redis + "/v9"}},
			want: []string{"gateway/rest imports " + redis + "/v9"},
		},
		{
			name: "a path that only begins like a forbidden one",
			code: graph{"gateway": {"github.com/rclone/rclone-extras"}},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, r := range rules {
				got = slices.AppendSeq(got, violations(r, c.code, c.tests))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("violations are %q, want %q", got, c.want)
			}
		})
	}
}

// A graph maps each package's path in the module to the full paths it imports.
type graph map[string][]string

// violations yields, for each import that breaks r, the way to it.
func violations(r rule, code, tests graph) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, pkg := range slices.Sorted(maps.Keys(code)) {
			if !r.about(pkg) {
				continue
			}
			direct := code[pkg]
			if r.tests {
				direct = slices.Concat(direct, tests[pkg])
			}
			if !follow(r, code, pkg, direct, map[string]bool{pkg: true}, yield) {
				return
			}
		}
	}
}

// follow yields the violations among imports, which were reached by way. It
// returns false once yield has.
func follow(r rule, code graph, way string, imports []string, seen map[string]bool, yield func(string) bool) bool {
	for _, imp := range imports {
		if r.forbids(imp) {
			if !yield(way + " imports " + imp) {
				return false
			}
			continue
		}
		pkg, ours := strings.CutPrefix(imp, module+"/")
		if !r.indirect || !ours || seen[pkg] {
			continue
		}
		seen[pkg] = true
		if !follow(r, code, way+" → "+pkg, code[pkg], seen, yield) {
			return false
		}
	}
	return true
}

// readImports reads the imports of every Go file below root, whatever its build
// tags. It reads the files itself, so that the go command knows that a cached
// result is stale once one of them has changed.
func readImports(t *testing.T, root string) (code, tests graph) {
	t.Helper()
	code, tests = graph{}, graph{}
	files := token.NewFileSet()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); name != "." && (base[0] == '.' || base == "testdata" || base == "tools") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(files, filepath.Join(root, name), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg, into := path.Dir(name), code
		if strings.HasSuffix(name, "_test.go") {
			into = tests
		}
		if _, known := code[pkg]; !known {
			code[pkg] = nil // a package of nothing but tests is one, too
		}
		for _, spec := range file.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			into[pkg] = append(into[pkg], imp)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(code) < 3 {
		t.Fatalf("found only %d packages below %s", len(code), root)
	}
	return code, tests
}

// of reports whether a path is one of prefixes or lies below one.
func of(prefixes ...string) func(string) bool {
	return func(p string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool {
			return p == prefix || strings.HasPrefix(p, prefix+"/")
		})
	}
}

func not(f func(string) bool) func(string) bool {
	return func(p string) bool { return !f(p) }
}

func both(f, g func(string) bool) func(string) bool {
	return func(p string) bool { return f(p) && g(p) }
}

func either(f, g func(string) bool) func(string) bool {
	return func(p string) bool { return f(p) || g(p) }
}

// only reports whether a path is this one, and none below it.
func only(pkg string) func(string) bool {
	return func(p string) bool { return p == pkg }
}
