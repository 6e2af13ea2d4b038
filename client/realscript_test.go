package client

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rclone-gateway/rclone-gateway/gateway/dav"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/repotest"
)

// TestRealScripts runs testdata/real with each real restic, a Redis of its own for each
// script, and the protocols of the gateway over the directory $STORAGE. The scripts act as
// node 1; module.env is the environment of module mymodule1, whose files are below
// $MODULE, and cluster.env that of an administrator.
func TestRealScripts(t *testing.T) {
	resticVersions(t, func(t *testing.T, version string) {
		t.Helper()
		testscript.Run(t, testscript.Params{
			Dir:                 "testdata/real",
			RequireExplicitExec: true,
			RequireUniqueNames:  true,
			Setup: func(env *testscript.Env) error {
				return setupReal(t, env)
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"exitstatus": scriptExitStatus,
				"waitfile":   scriptWaitFile,
				"waitend":    scriptWaitEnd,
				"killchild":  scriptKill,
				"hget":       scriptHGet(t),

				"listbackups": scriptListBackups(t),
				"newrepo":     scriptNewRepo(t),
			},
			Condition: func(condition string) (bool, error) {
				switch condition {
				case "old":
					return strings.HasPrefix(version, "0.14"), nil
				case "root":
					return os.Geteuid() == 0, nil
				}
				return false, fmt.Errorf("unknown condition %q", condition)
			},
		})
	})
}

// redisKey finds the server of a script.
type redisKey struct{}

func setupReal(t *testing.T, env *testscript.Env) error {
	t.Helper()
	server := redistest.Start(t)
	server.SetupNS8()
	server.AddDestinations(redistest.Destination{ID: realDestination, Name: "disk", Provider: "x", URL: "b2:b"})
	server.AddModules(
		redistest.Module{ID: scriptModule, UUID: scriptUUID},
		redistest.Module{ID: "mymodule2", UUID: "22222222-2222-4222-8222-222222222222"})
	server.AddSchedule(redistest.Schedule{ID: "1", Repository: realDestination, Name: "nightly", Instances: []string{scriptModule, "mymodule2"}})
	env.Values[redisKey{}] = server

	storage, home := filepath.Join(env.WorkDir, "storage"), filepath.Join(env.WorkDir, "module")
	for _, dir := range []string{storage, filepath.Join(home, "state"), filepath.Join(home, "volumes", "data"), filepath.Join(home, "install", "etc"), filepath.Join(home, "install", "bin"), filepath.Join(env.WorkDir, "drills")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	handler, err := davGateway(storage)
	if err != nil {
		return err
	}
	gateway := httptest.NewServer(handler)
	env.Defer(gateway.Close)

	module := map[string]string{
		"MODULE_ID": scriptModule, "MODULE_UUID": scriptUUID, "IMAGE_URL": "ghcr.io/nethserver/mymodule:1.0.0", "AGENT_ID": "module/" + scriptModule,
		"REDIS_USER": "module/" + scriptModule, "REDIS_PASSWORD": redistest.Password("module/" + scriptModule),
		"REDIS_ADDRESS": server.Addr, "REDIS_REPLICA_ADDRESS": server.Addr,
		"AGENT_STATE_DIR": filepath.Join(home, "state"), "AGENT_INSTALL_DIR": filepath.Join(home, "install"),
	}
	for name, text := range map[string]string{
		filepath.Join(env.WorkDir, "module.env"):                    envText(module),
		filepath.Join(env.WorkDir, "node.env"):                      envText(map[string]string{"REDIS_USER": "node/1", "REDIS_PASSWORD": redistest.Password("node/1")}),
		filepath.Join(env.WorkDir, "cluster.env"):                   envText(map[string]string{"REDIS_USER": redistest.AdminUser, "REDIS_PASSWORD": redistest.Password(redistest.AdminUser)}),
		filepath.Join(home, "state", "environment"):                 "IMAGE_URL=ghcr.io/nethserver/mymodule:1.0.0\n",
		filepath.Join(home, "install", "etc", "state-include.conf"): "state/environment\nvolumes/data\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	killed, err := filepath.Abs(filepath.Join("testdata", "killed"))
	if err != nil {
		return err
	}
	realRestic, err := exec.LookPath("restic")
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"REDIS_ADDRESS": server.Addr, "REDIS_REPLICA_ADDRESS": server.Addr,
		"REDIS_USER": "node/1", "REDIS_PASSWORD": redistest.Password("node/1"), "NODE_ID": "1",
		"CLUSTER_PASSWORD": redistest.Password(redistest.AdminUser),
		"NS8_CORE_ENV":     "/nonexistent", "GATEWAY_MODULES_DIR": filepath.Join(env.WorkDir, "modules.d"), "NS8_AGENT_ENV": filepath.Join(env.WorkDir, "node.env"),
		"NS8_GATEWAY_URL": gateway.URL, "NS8_RESTIC_RUNTIME": "native",
		"HOME": filepath.Join(env.WorkDir, "home"), "TMPDIR": env.WorkDir, "TZ": "Europe/Rome",
		"STORAGE": storage, "MODULE": home, "DEST": realDestination, "UUID": scriptUUID,
		"REPO":           filepath.Join(storage, "mymodule", scriptUUID),
		"REPOSITORY":     "rest:" + strings.Replace(gateway.URL, "://", "://node%2F1:"+redistest.Password("node/1")+"@", 1) + "/" + realDestination + "/mymodule/" + scriptUUID,
		"KEY":            redistest.Password(realDestination),
		"KILLED":         killed,
		"GORACE":         "atexit_sleep_ms=0",
		"WITHOUT_RESTIC": withoutDir(env.Getenv("PATH"), filepath.Dir(realRestic)), // its restic answers nothing
		"PATH":           filepath.Dir(realRestic) + string(os.PathListSeparator) + env.Getenv("PATH"),
	} {
		env.Setenv(name, value)
	}
	return nil
}

// scriptNewRepo makes the empty repository $REPO, which opens with $KEY at no cost: restic
// derives the keys that it makes itself for a good part of a second, at each command.
func scriptNewRepo(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, _ []string) {
		repotest.New(t, 2, ts.Getenv("KEY")).Save(t, ts.Getenv("REPO"))
	}
}

// withoutDir is a search path without a directory.
func withoutDir(searchPath, dir string) string {
	dirs := slices.DeleteFunc(filepath.SplitList(searchPath), func(d string) bool { return d == dir })
	return strings.Join(dirs, string(os.PathListSeparator))
}

func envText(vars map[string]string) string {
	var text strings.Builder
	for name, value := range vars {
		text.WriteString(name + "=" + value + "\n")
	}
	return text.String()
}

// davGateway serves both protocols from a directory, to all users that know their password:
// everything to nodes, and to modules what is below their UUID.
func davGateway(dir string) (http.Handler, error) {
	store, err := local.Open(dir)
	if err != nil {
		return nil, err
	}
	objects, tree := rest.NewHandler(), dav.NewHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside, ours := strings.CutPrefix(r.URL.Path, "/"+realDestination)
		user, password, _ := r.BasicAuth()
		if password != redistest.Password(user) || strings.HasPrefix(user, "module/") && !strings.Contains(inside, scriptUUID) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		var err error
		if repo, typ, name, ok := object.Parse(strings.TrimPrefix(inside, "/")); ok && r.Method != "PROPFIND" {
			err = objects.Serve(w, r, rest.Target{
				Store: store, Destination: realDestination, Repo: repo, Type: typ, Name: name, AddKey: strings.HasPrefix(user, "node/"),
				Operation: rest.OperationOf(r.Method, typ, name, r.URL.Query().Get("create") == "true"),
			})
		} else if name := strings.Trim(inside, "/"); ours {
			if name == "" {
				name = "."
			}
			err = tree.Serve(w, r, dav.Target{
				Store: store, Destination: realDestination, Path: r.URL.Path, Name: name, Collection: strings.HasSuffix(inside, "/"), ReadOnly: true,
			})
		} else {
			err = fs.ErrNotExist
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			w.WriteHeader(http.StatusNotFound)
		case err != nil:
			w.WriteHeader(refusal.Status(err))
		}
	}), nil
}

// scriptHGet writes a field of a hash in Redis into a file: hget FILE KEY FIELD.
func scriptHGet(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		server, _ := ts.Value(redisKey{}).(*redistest.Server)
		value, err := server.Admin().HGet(t.Context(), args[1], args[2]).Result()
		if err != nil {
			value = err.Error()
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(value), 0o600))
	}
}
