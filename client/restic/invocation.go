package restic

import (
	"net/url"
	"os"
	"slices"
	"strings"
)

// Runtime is the way restic is run.
type Runtime string

// The runtimes: a temporary container, or the program in PATH.
const (
	Podman Runtime = "podman"
	Native Runtime = "native"
)

// Repository is the location of a repository, with its credentials and password.
type Repository struct {
	// URL is the URL of the repository, "http://127.0.0.1:4694/<destination>/<app>/<uuid>".
	URL string
	// User and Password are the credentials for the gateway.
	User, Password string
	// Key is restic's own password, which decrypts the repository.
	Key string
	// Elsewhere names other destinations that it may be on, where nobody said on which.
	Elsewhere string
}

// Remedy returns what to do if there is no repository, as far as it is known.
func (r Repository) Remedy() string {
	if r.Elsewhere == "" {
		return ""
	}
	return "; its schedules name other destinations, too: choose one with --destination (" + r.Elsewhere + ")"
}

// String returns only the URL, so that no secret gets into a text.
func (r Repository) String() string { return r.URL }

// GoString does the same for %#v.
func (r Repository) GoString() string { return r.URL }

// Mount makes a directory, a file or a volume visible in the container.
type Mount struct {
	// Source is an absolute path, or the name of a volume, which is created if missing.
	Source string
	// Target is the absolute path in the container.
	Target   string
	ReadOnly bool
}

func (m Mount) flag() string {
	flag := "--volume=" + m.Source + ":" + m.Target
	if m.ReadOnly {
		flag += ":ro"
	}
	return flag
}

// cacheDir is the place of restic's cache in the container: a volume that all runs of one
// user share.
const cacheDir = "/var/cache/restic"

// Invocation is one run of restic.
type Invocation struct {
	Runtime Runtime
	// Version is the version of the restic that will run. The zero Version stands for a new
	// one.
	Version Version
	// Repository may be zero for commands without a repository.
	Repository Repository
	// Dir is the working directory, inside the container with [Podman].
	Dir string
	// Args are restic's arguments.
	Args []string
	// Env holds additional variables for restic, "RESTIC_…=…".
	Env []string

	// LockTries ends a run after so many failed attempts to store its lock. With 0 it is up
	// to restic, which retries for minutes.
	LockTries int

	// Files stay open in restic for as long as it lives. Started, if not nil, gets its
	// process ID. Both are for [Native] only.
	Files   []*os.File
	Started func(pid int)

	// CACerts and ClientCert are TLS files for the gateway. They take precedence over
	// RESTIC_CACERT and RESTIC_TLS_CLIENT_CERT, which an old restic does not read.
	CACerts    []string
	ClientCert string
	// Socket is the gateway's unix socket, if it has one. The socket and the TLS files have
	// the same paths in a container as outside.
	Socket string

	// Mounts are visible to restic: in the container or, with [Native], in a mount
	// namespace of its own, where each source must be a directory.
	Mounts []Mount

	// Image, Name and PodmanArgs are for [Podman] only: the image, the container's name,
	// and additional arguments of podman run.
	Image      string
	Name       string
	PodmanArgs []string
}

// With returns a copy of i with other arguments for restic.
func (i Invocation) With(args ...string) Invocation {
	i.Args = args
	return i
}

// Argv returns the command line. It holds no secret.
func (i Invocation) Argv() []string {
	if i.Runtime == Native {
		return slices.Concat([]string{"restic"}, i.tlsArgs(), i.Args)
	}
	// SIGINT is the only signal that every version of restic handles. As process 1 of the
	// container, restic ignores signals without a handler.
	argv := []string{
		"podman", "run", "--interactive", "--rm", "--replace", "--name=" + i.Name,
		"--privileged", "--network=host", "--env=RESTIC_*",
		"--volume=restic-cache:" + cacheDir, "--log-driver=none", "--stop-signal=SIGINT",
	}
	if i.Dir != "" {
		argv = append(argv, "--workdir="+i.Dir)
	}
	for _, m := range i.Mounts {
		argv = append(argv, m.flag())
	}
	for _, name := range slices.Concat(i.CACerts, []string{i.ClientCert, i.Socket}) {
		if name != "" {
			argv = append(argv, Mount{Source: name, Target: name, ReadOnly: true}.flag())
		}
	}
	argv = append(argv, i.PodmanArgs...)
	argv = append(argv, i.Image)
	return slices.Concat(argv, i.tlsArgs(), i.Args)
}

func (i Invocation) tlsArgs() []string {
	var args []string
	for _, name := range i.CACerts {
		args = append(args, "--cacert="+name)
	}
	if i.ClientCert != "" {
		args = append(args, "--tls-client-cert="+i.ClientCert)
	}
	return args
}

// repositoryEnv are the variables that select the repository. Inherited ones are always
// removed.
var repositoryEnv = []string{
	"RESTIC_REPOSITORY", "RESTIC_REPOSITORY_FILE",
	"RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND", "RESTIC_KEY_HINT",
	"RESTIC_REST_USERNAME", "RESTIC_REST_PASSWORD",
	"RESTIC_CACERT", "RESTIC_TLS_CLIENT_CERT", // replaced by options
}

// Environ returns the environment for the command of [Invocation.Argv]: inherited, in the
// form of os.Environ, with the repository's variables replaced.
func (i Invocation) Environ(inherited []string) []string {
	env := slices.DeleteFunc(slices.Clone(inherited), func(assignment string) bool {
		name, _, _ := strings.Cut(assignment, "=")
		// The host's cache directory does not exist in the container.
		return slices.Contains(repositoryEnv, name) || i.Runtime != Native && name == "RESTIC_CACHE_DIR"
	})
	if i.Runtime != Native {
		env = append(env, "RESTIC_CACHE_DIR="+cacheDir)
	} else if dir := nativeCache(env, homeOfUser); dir != "" {
		env = append(env, "RESTIC_CACHE_DIR="+dir)
	}
	if i.Repository.URL != "" {
		env = append(env, i.Repository.environ(i.Version)...)
	}
	return append(env, i.Env...)
}

// restEnvVersion is the first restic that reads RESTIC_REST_USERNAME and
// RESTIC_REST_PASSWORD.
var restEnvVersion = Version{0, 16, 1}

func (r Repository) environ(v Version) []string {
	if v.Has(restEnvVersion) {
		return []string{
			"RESTIC_REPOSITORY=rest:" + r.URL,
			"RESTIC_REST_USERNAME=" + r.User,
			"RESTIC_REST_PASSWORD=" + r.Password,
			"RESTIC_PASSWORD=" + r.Key,
		}
	}
	address := r.URL
	if parsed, err := url.Parse(r.URL); err == nil && r.User != "" {
		parsed.User = url.UserPassword(r.User, r.Password)
		address = parsed.String()
	}
	return []string{"RESTIC_REPOSITORY=rest:" + address, "RESTIC_PASSWORD=" + r.Key}
}
