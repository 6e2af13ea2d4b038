package host

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testEnvironment is an environment of these variables and these files.
func testEnvironment(t *testing.T, vars map[string]string, files map[string]string) *Environment {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	vars = maps.Collect(maps.All(vars))
	vars["NS8_AGENT_ENV"], vars["NS8_CORE_ENV"] = filepath.Join(dir, "node.env"), filepath.Join(dir, "core.env")
	vars["AGENT_STATE_DIR"] = dir
	return NewEnvironment(func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	})
}

func TestEnvironmentOrder(t *testing.T) {
	env := testEnvironment(t, map[string]string{"A": "process", "EMPTY": ""}, map[string]string{
		"environment": "A=state\nB=state\n",
		"agent.env":   "B=agent\nC=agent\n",
		"node.env":    "C=node\nD=node\nMODULE_ID=other1\n",
		"core.env":    "D=core\nE=core\nEMPTY=core\n",
	})
	for name, want := range map[string]string{
		"A": "process", "B": "state", "C": "agent", "D": "node", "E": "core", "EMPTY": "core", "F": "",
	} {
		if got := env.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if id, err := env.ModuleID(); err == nil {
		t.Errorf("the node's file gave the module's ID %q", id)
	}
}

// wantCredentials expects credentials, or an error with these words.
func wantCredentials(t *testing.T, got Credentials, err error, want Credentials, words string) {
	t.Helper()
	if got != want || (err == nil) != (words == "") || err != nil && !strings.Contains(err.Error(), words) {
		t.Errorf("credentials = %s, %v; want %s, %q", got, err, want, words)
	}
}

func TestCredentialsComeFromOnePlace(t *testing.T) {
	tests := map[string]struct {
		vars, files map[string]string
		want        Credentials
		words       string
	}{
		"the process":                     {map[string]string{"REDIS_USER": "module/a1", "REDIS_PASSWORD": "p"}, nil, Credentials{"module/a1", "p"}, ""},
		"the module's file":               {nil, map[string]string{"agent.env": "REDIS_USER=module/a1\nREDIS_PASSWORD=p\n", "node.env": "REDIS_USER=node/1\nREDIS_PASSWORD=n\n"}, Credentials{"module/a1", "p"}, ""},
		"the node's file":                 {nil, map[string]string{"node.env": "REDIS_USER=node/1\nREDIS_PASSWORD=n\n"}, Credentials{"node/1", "n"}, ""},
		"never half of it from elsewhere": {map[string]string{"REDIS_USER": "module/a1"}, map[string]string{"node.env": "REDIS_USER=node/1\nREDIS_PASSWORD=n\n"}, Credentials{}, "REDIS_PASSWORD is not set"},
		"nowhere":                         {nil, nil, Credentials{}, "REDIS_USER is not set"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := testEnvironment(t, test.vars, test.files).Credentials()
			wantCredentials(t, got, err, test.want, test.words)
		})
	}
}

func TestTheGatewayIsAskedAsAUserThatItKnows(t *testing.T) {
	admin := map[string]string{"REDIS_USER": "admin", "REDIS_PASSWORD": "a"}
	node := map[string]string{"node.env": "REDIS_USER=node/1\nREDIS_PASSWORD=n\n"}
	tests := map[string]struct {
		vars, files map[string]string
		want        Credentials
		words       string
	}{
		"a module":                         {map[string]string{"REDIS_USER": "module/a1", "REDIS_PASSWORD": "p"}, node, Credentials{"module/a1", "p"}, ""},
		"a node":                           {map[string]string{"REDIS_USER": "node/2", "REDIS_PASSWORD": "p"}, node, Credentials{"node/2", "p"}, ""},
		"an administrator, as the node":    {admin, node, Credentials{"node/1", "n"}, ""},
		"an administrator away from nodes": {admin, nil, Credentials{}, "--env-file FILE"},
		"nobody":                           {nil, nil, Credentials{}, "REDIS_USER is not set"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := testEnvironment(t, test.vars, test.files).GatewayCredentials()
			wantCredentials(t, got, err, test.want, test.words)
		})
	}
}

func TestCredentialsArePrintedWithoutThePassword(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, Credentials{"module/a1", "geheim"}); strings.Contains(text, "geheim") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func TestAppOfImage(t *testing.T) {
	tests := map[string]string{
		"ghcr.io/nethserver/traefik:1.2.3":       "traefik",
		"ghcr.io:5000/nethserver/my-app@sha256:": "my-app",
		"app:latest":                             "app",
		"ghcr.io/x/app:1@sha256:00":              "app",
		"ghcr.io/nethserver/traefik":             "",
		"ghcr.io/nethserver/:1":                  "",
		"ghcr.io/x/a b:1":                        "",
		"":                                       "",
	}
	for image, want := range tests {
		if got, err := AppOfImage(image); got != want || (err == nil) != (want != "") {
			t.Errorf("appOfImage(%q) = %q, %v; want %q", image, got, err, want)
		}
	}
}

func TestAFileOfVariablesGoesBeforeTheEnvironment(t *testing.T) {
	env := testEnvironment(t, nil, nil)
	vars := map[string]string{"REDIS_URL": "redis://h:1", "REDIS_PASSWORD_FILE": "/nonexistent", "KEPT": "yes", "REDIS_TLS": "true"}
	env.Lookup = func(name string) (string, bool) { value, ok := vars[name]; return value, ok }
	env.Set = func(name, value string) error { vars[name] = value; return nil }
	file := filepath.Join(t.TempDir(), "node.env")
	text := "REDIS_ADDRESS=h:2\nREDIS_USER=node/1\nREDIS_PASSWORD='two words'\nODD=\"a=b\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := env.LoadFile(file); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"REDIS_ADDRESS": "h:2", "REDIS_URL": "", "REDIS_PASSWORD_FILE": "", "REDIS_PASSWORD": "two words", "ODD": "a=b", "KEPT": "yes", "REDIS_TLS": "true",
	} {
		if got := env.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}
