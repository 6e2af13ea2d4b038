package restic

import (
	"slices"
	"strings"
	"testing"
)

var secretive = Repository{
	URL:  "http://127.0.0.1:4694/dest/app/uuid",
	User: "module/app1", Password: "gate way:secret", Key: "key-secret",
}

func TestPodmanCommandLine(t *testing.T) {
	invocation := Invocation{
		Runtime: Podman, Repository: secretive, Dir: "/srv",
		Image: "docker.io/restic/restic:0.18.0", Name: "restic-app1-7",
		Mounts: []Mount{
			{Source: "/home/app1/.config/state", Target: "/srv/state"},
			{Source: "data", Target: "/srv/volumes/data"},
			{Source: "/tmp/x/include", Target: "/etc/include", ReadOnly: true},
		},
		Args: []string{"backup", "--json", "state/environment"},
	}
	want := []string{
		"podman", "run", "--interactive", "--rm", "--replace", "--name=restic-app1-7",
		"--privileged", "--network=host", "--env=RESTIC_*",
		"--volume=restic-cache:/var/cache/restic", "--log-driver=none", "--stop-signal=SIGINT",
		"--workdir=/srv",
		"--volume=/home/app1/.config/state:/srv/state",
		"--volume=data:/srv/volumes/data",
		"--volume=/tmp/x/include:/etc/include:ro",
		"docker.io/restic/restic:0.18.0", "backup", "--json", "state/environment",
	}
	got := invocation.Argv()
	if !slices.Equal(got, want) {
		t.Errorf("argv\n got %q\nwant %q", got, want)
	}
	if line := strings.Join(got, " "); strings.Contains(line, "secret") {
		t.Errorf("a secret is on the command line: %s", line)
	}
}

func TestNativeCommandLine(t *testing.T) {
	got := Invocation{Runtime: Native, Args: []string{"snapshots"}}.Argv()
	if want := []string{"restic", "snapshots"}; !slices.Equal(got, want) {
		t.Errorf("argv = %q, want %q", got, want)
	}
}

func TestEnviron(t *testing.T) {
	inherited := []string{
		"PATH=/bin", "RESTIC_PASSWORD=other", "RESTIC_PASSWORD_COMMAND=rm -rf /", "RESTIC_REPOSITORY_FILE=/x",
		"RESTIC_CACHE_DIR=/host/cache", "RESTIC_COMPRESSION=max",
	}
	tests := map[string]struct {
		invocation Invocation
		want       []string
	}{
		"a container gets the repository and its own cache directory": {
			Invocation{Runtime: Podman, Repository: secretive},
			[]string{
				"PATH=/bin", "RESTIC_COMPRESSION=max", "RESTIC_CACHE_DIR=/var/cache/restic",
				"RESTIC_REPOSITORY=rest:http://127.0.0.1:4694/dest/app/uuid",
				"RESTIC_REST_USERNAME=module/app1", "RESTIC_REST_PASSWORD=gate way:secret", "RESTIC_PASSWORD=key-secret",
			},
		},
		"an old restic gets the credentials in the address": {
			Invocation{Runtime: Native, Version: Version{0, 14, 0}, Repository: secretive},
			[]string{
				"PATH=/bin", "RESTIC_CACHE_DIR=/host/cache", "RESTIC_COMPRESSION=max",
				"RESTIC_REPOSITORY=rest:http://module%2Fapp1:gate%20way%3Asecret@127.0.0.1:4694/dest/app/uuid",
				"RESTIC_PASSWORD=key-secret",
			},
		},
		"without a repository none is inherited": {
			Invocation{Runtime: Native, Env: []string{"RESTIC_PROGRESS_FPS=2"}},
			[]string{"PATH=/bin", "RESTIC_CACHE_DIR=/host/cache", "RESTIC_COMPRESSION=max", "RESTIC_PROGRESS_FPS=2"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.invocation.Environ(inherited); !slices.Equal(got, test.want) {
				t.Errorf("environ\n got %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	tests := map[string]struct {
		output string
		want   Version
		fails  bool
	}{
		"a release":             {"restic 0.18.0 compiled with go1.24.1 on linux/amd64\n", Version{0, 18, 0}, false},
		"a development version": {"restic 0.19.1-dev (compiled manually) compiled with go1.25 on linux/amd64", Version{0, 19, 1}, false},
		"another program":       {"rustic 0.9.1", Version{}, true},
		"nothing":               {"", Version{}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseVersion(test.output)
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("ParseVersion = %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestVersionHasFeature(t *testing.T) {
	tests := map[string]struct {
		version Version
		want    bool
	}{
		"the same":        {Version{0, 16, 0}, true},
		"a newer patch":   {Version{0, 16, 5}, true},
		"an older minor":  {Version{0, 15, 9}, false},
		"a newer major":   {Version{1, 0, 0}, true},
		"an unknown one":  {Version{}, true},
		"much older ones": {Version{0, 0, 99}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.version.Has(RetryLockVersion); got != test.want {
				t.Errorf("%v.Has = %v, want %v", test.version, got, test.want)
			}
		})
	}
}
