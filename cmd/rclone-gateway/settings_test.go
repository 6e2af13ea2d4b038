package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/internal/flagenv"
)

func newSettings() (*settings, *pflag.FlagSet) {
	s, flags := new(settings), pflag.NewFlagSet("serve", pflag.ContinueOnError)
	s.registerServe(flags)
	return s, flags
}

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { value, ok := env[name]; return value, ok }
}

func TestEveryFlagHasAnEnvironmentVariable(t *testing.T) {
	t.Parallel()
	s, flags := newSettings()
	example := map[string]string{
		"string": "anything", "stringSlice": "one,two", "duration": "42s", "bool": "true",
	}
	env, flagOf := map[string]string{}, map[string]string{}
	flags.VisitAll(func(f *pflag.Flag) {
		variable := flagenv.Variable(f)
		if variable == "" {
			t.Errorf("--%s has no variable", f.Name)
			return
		}
		if other, taken := flagOf[variable]; taken {
			t.Errorf("--%s and --%s share $%s", f.Name, other, variable)
		}
		if !strings.Contains(f.Usage, "[$"+variable+"]") {
			t.Errorf("the usage of --%s does not name $%s", f.Name, variable)
		}
		if example[f.Value.Type()] == "" {
			t.Errorf("--%s is of type %s, of which this test has no example", f.Name, f.Value.Type())
		}
		flagOf[variable], env[variable] = f.Name, example[f.Value.Type()]
	})
	delete(env, "REDIS_PASSWORD_FILE") // these are read at once
	delete(env, "REDIS_SENTINEL_PASSWORD_FILE")
	if err := s.complete(flags, lookupIn(env)); err != nil {
		t.Fatal(err)
	}
	for variable := range env {
		f := flags.Lookup(flagOf[variable])
		if got := strings.Trim(f.Value.String(), "[]"); got != env[variable] {
			t.Errorf("$%s=%s makes --%s %q", variable, env[variable], f.Name, got)
		}
	}
}

func TestNethServersVariablesWorkAsTheyAre(t *testing.T) {
	t.Parallel()
	s, flags := newSettings()
	err := s.complete(flags, lookupIn(map[string]string{
		"REDIS_ADDRESS": "10.5.4.1:6379", "REDIS_REPLICA_ADDRESS": "127.0.0.1:6379",
		"REDIS_USER": "node/2", "REDIS_PASSWORD": "secret", "NODE_ID": "2",
	}))
	if err != nil {
		t.Fatal(err)
	}
	opts, err := s.options()
	if err != nil {
		t.Fatal(err)
	}
	if r := opts.Redis; r.Address != "10.5.4.1:6379" || r.ReplicaAddress != "127.0.0.1:6379" || r.Username != "node/2" || r.Password != "secret" {
		t.Errorf("%#v", r)
	}
	if opts.Load.NodeID != "2" || opts.Events.Username != "default" || opts.Events.Password == "" {
		t.Errorf("%+v, %+v", opts.Load, opts.Events)
	}
}

func TestAFlagGoesBeforeTheEnvironment(t *testing.T) {
	t.Parallel()
	s, flags := newSettings()
	if err := flags.Parse([]string{"--max-stale", "1h"}); err != nil {
		t.Fatal(err)
	}
	// An empty variable is none.
	env := map[string]string{"GATEWAY_MAX_STALE": "2h", "GATEWAY_STALL_TIMEOUT": "3m", "GATEWAY_REFRESH_INTERVAL": ""}
	if err := s.complete(flags, lookupIn(env)); err != nil {
		t.Fatal(err)
	}
	if s.maxStale != time.Hour || s.stallTimeout != 3*time.Minute || s.refreshInterval != 30*time.Second {
		t.Errorf("%v, %v, %v", s.maxStale, s.stallTimeout, s.refreshInterval)
	}
}

func TestNetworksMayBeSingleAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "10.1.2.3/8": "10.0.0.0/8",
		"192.168.1.5": "192.168.1.5/32", "fd00::1": "fd00::1/128",
		"": "", "everybody": "", "10.0.0.0/33": "", "fe80::1%eth0": "",
	} {
		got, err := parseNetwork(" " + text) // as behind a comma
		if want == "" && err == nil || want != "" && got.String() != want {
			t.Errorf("%q: %v, %v; want %q", text, got, err, want)
		}
	}
}

func TestTheConfigurationHoldsNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	s, flags := newSettings()
	err := s.complete(flags, lookupIn(map[string]string{
		"REDIS_URL": "redis://node%2F1:" + secret + "@127.0.0.1", "REDIS_SENTINEL_PASSWORD": secret, "REDIS_EVENTS_PASSWORD": secret,
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v"} {
		if text := fmt.Sprintf(verb, s.attributes(nil)); strings.Contains(text, secret) {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

func TestNoCommandHasOptionsOfRclone(t *testing.T) {
	t.Parallel()
	pflag.CommandLine.VisitAll(func(f *pflag.Flag) {
		t.Errorf("--%s would be an option of every command", f.Name)
	})
}

func TestTwoSourcesOfAPasswordAreNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("of-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		want []string
	}{
		"variable and file":          {nil, map[string]string{"REDIS_PASSWORD": "hunter2", "REDIS_PASSWORD_FILE": file}, []string{"$REDIS_PASSWORD ", "$REDIS_PASSWORD_FILE"}},
		"variable and option":        {[]string{"--redis-password-file", file}, map[string]string{"REDIS_PASSWORD": "hunter2"}, []string{"$REDIS_PASSWORD ", "--redis-password-file"}},
		"URL and variable":           {[]string{"--redis-url", "redis://u:hunter2@h:1"}, map[string]string{"REDIS_PASSWORD": "hunter2"}, []string{"$REDIS_PASSWORD ", "--redis-url"}},
		"URL and another user":       {[]string{"--redis-url", "redis://u:hunter2@h:1", "--redis-user", "v"}, nil, []string{"--redis-user", "--redis-url"}},
		"Sentinel's, the same twice": {nil, map[string]string{"REDIS_SENTINEL_PASSWORD": "hunter2", "REDIS_SENTINEL_PASSWORD_FILE": file}, []string{"$REDIS_SENTINEL_PASSWORD ", "$REDIS_SENTINEL_PASSWORD_FILE"}},
	} {
		s, flags := newSettings()
		if err := flags.Parse(test.args); err != nil {
			t.Fatal(err)
		}
		err := s.complete(flags, lookupIn(test.env))
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not name %s", name, err, want)
			}
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
