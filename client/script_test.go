package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// The programs that scripts find on PATH: the applets, and instead of Podman
// and restic one that notes how it was called.
func TestMain(m *testing.M) {
	commands := map[string]func(){
		program:  func() { os.Exit(Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) },
		"podman": fakePodman,
		"restic": func() { fakeRestic(os.Args[1:]) },
	}
	for _, a := range applets {
		commands[a.name] = commands[program]
	}
	testscript.Main(m, commands)
}

const (
	scriptModule      = "mymodule1"
	scriptUUID        = "9a0fcb6d-5f5b-4f6e-a4f5-1a6b3a4b2c01"
	scriptDestination = "14030a59-a4e6-54cc-b8ea-cd5f97fe44c8"
)

// TestScripts runs testdata/script against a real Redis, with the environment
// that NS8's agent gives a module. The module's directories are $AGENT_STATE_DIR
// and $AGENT_INSTALL_DIR; $FAKE is where the fake Podman notes its calls and
// takes its answers from.
func TestScripts(t *testing.T) {
	server := redistest.Start(t)
	server.SetupNS8()
	server.AddDestinations(redistest.Destination{ID: scriptDestination, Name: "dest", Provider: "backblaze", URL: "b2:bucket"})
	server.AddModules(redistest.Module{ID: scriptModule, UUID: scriptUUID})
	server.AddSchedule(redistest.Schedule{ID: "1", Repository: scriptDestination, Name: "nightly", Instances: []string{scriptModule}})
	server.AddSchedule(redistest.Schedule{ID: "2", Repository: scriptDestination, Name: "others", Instances: []string{"mymodule10", "other1"}})
	server.Do("hset", "cluster/backup/3", "name", "no destination", "instances", scriptModule)
	server.Do("hset", "cluster/backup/4", "name", "gone", "repository", "gone", "instances", scriptModule)
	server.Do("set", "module/"+scriptModule+"/ui_name", "My label")

	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(env *testscript.Env) error { return setupScript(env, server) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"gateway":    scriptGateway,
			"waitfile":   scriptWaitFile,
			"waitend":    scriptWaitEnd,
			"killchild":  scriptKill,
			"nosecret":   scriptNoSecret,
			"exitstatus": scriptExitStatus,
		},
		Condition: func(condition string) (bool, error) {
			if condition == "rootfull" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
	})
}

type gatewayStatus struct{}

// setupScript makes the module and a gateway, which answers 200 until told
// otherwise.
func setupScript(env *testscript.Env, server *redistest.Server) error {
	state, install := filepath.Join(env.WorkDir, "home", "state"), filepath.Join(env.WorkDir, "home", "install")
	fake := filepath.Join(env.WorkDir, "fake")
	for _, dir := range []string{state, filepath.Join(install, "etc"), filepath.Join(install, "bin"), fake} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(state, "environment"), []byte("IMAGE_URL=ghcr.io/x/mymodule:1.0\n"), 0o600); err != nil {
		return err
	}
	core := filepath.Join(env.WorkDir, "core.env")
	if err := os.WriteFile(core, []byte("RESTIC_IMAGE=docker.io/restic/restic:0.18.0\n"), 0o600); err != nil {
		return err
	}
	status := new(atomic.Int32)
	status.Store(http.StatusOK)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == adminapi.HealthPath {
			http.ServeFile(w, r, filepath.Join(fake, "health"))
			return
		}
		if answerAdmin(w, r) {
			return
		}
		if user, password, _ := r.BasicAuth(); user != "module/"+scriptModule || password != redistest.Password(user) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(int(status.Load()))
	}))
	env.Defer(gateway.Close)
	env.Values[gatewayStatus{}] = status

	user := "module/" + scriptModule
	for name, value := range map[string]string{
		"AGENT_STATE_DIR": state, "AGENT_INSTALL_DIR": install, "AGENT_ID": user,
		"MODULE_ID": scriptModule, "MODULE_UUID": scriptUUID, "IMAGE_URL": "ghcr.io/nethserver/mymodule:1.0.0",
		"REDIS_USER": user, "REDIS_PASSWORD": redistest.Password(user),
		"REDIS_ADDRESS": server.Addr, "REDIS_REPLICA_ADDRESS": server.Addr,
		"NS8_CORE_ENV": core, "GATEWAY_MODULES_DIR": filepath.Join(env.WorkDir, "modules.d"), "NS8_AGENT_ENV": filepath.Join(env.WorkDir, "agent.env"), "NS8_GATEWAY_URL": gateway.URL,
		"FAKE": fake, "DEST": scriptDestination, "UUID": scriptUUID,
		"CLUSTER_PASSWORD": redistest.Password(redistest.AdminUser), "NODE_PASSWORD": redistest.Password("node/1"),
		// Each command is this binary, which ends a second late with the race detector.
		"GORACE": "atexit_sleep_ms=0",
		"PATH":   filepath.Join(install, "bin") + string(os.PathListSeparator) + env.Getenv("PATH"),
	} {
		env.Setenv(name, value)
	}
	return nil
}

// scriptGateway sets the status the gateway answers with: gateway 404.
func scriptGateway(ts *testscript.TestScript, _ bool, args []string) {
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	status, _ := ts.Value(gatewayStatus{}).(*atomic.Int32)
	status.Store(int32(code))
}

// scriptWaitFile waits until a file exists that the pattern matches: waitfile
// $FAKE/started.
func scriptWaitFile(ts *testscript.TestScript, _ bool, args []string) {
	scriptAwait(ts, args[0]+" appears", func() bool {
		found, err := filepath.Glob(args[0])
		ts.Check(err)
		return len(found) > 0
	})
}

// scriptWaitEnd waits until the process has ended whose ID a file holds, or will hold:
// waitend $FAKE/interrupted.
func scriptWaitEnd(ts *testscript.TestScript, _ bool, args []string) {
	scriptAwait(ts, "the process in "+args[0]+" has ended", func() bool {
		text, _ := os.ReadFile(args[0])
		pid, err := strconv.Atoi(string(text))
		if err != nil {
			return false // it is not there yet, or not written yet
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || bytes.Contains(status, []byte(") Z ")) // ended, whether or not waited for
	})
}

func scriptAwait(ts *testscript.TestScript, what string, done func() bool) {
	for deadline := time.Now().Add(3 * time.Minute); !done(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("waited without success until %s", what)
		}
	}
}

// scriptKill sends a signal to the process whose ID a file holds: killchild TERM
// $AGENT_STATE_DIR/.module-backup.lock.
func scriptKill(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, signals[args[0]]))
}

// scriptNoSecret fails when a file holds one of the module's secrets.
func scriptNoSecret(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	for _, secret := range []string{redistest.Password("module/" + scriptModule), redistest.Password(scriptDestination)} {
		if strings.Contains(text, secret) {
			ts.Fatalf("%s holds a secret", args[0])
		}
	}
}

// scriptExitStatus runs a command and compares its exit status: exitstatus 2
// module-backup 9.
func scriptExitStatus(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// fakePodman notes its arguments and answers volume ls from $FAKE/volumes; the directory
// of volume NAME is $FAKE/NAME. With
// run it does what restic is told, the image being the argument with the image's
// name.
func fakePodman() {
	noteCall("podman", os.Args[1:])
	switch os.Args[1] {
	case "volume":
		if os.Args[2] == "inspect" {
			fmt.Println(fakeFile(os.Args[len(os.Args)-1]))
			return
		}
		copyFile(os.Stdout, "volumes")
	case "run":
		for n, arg := range os.Args {
			if strings.HasPrefix(arg, "docker.io/restic/") {
				fakeRestic(os.Args[n+1:])
				return
			}
		}
		os.Exit(125)
	}
}

// fakeRestic plays restic. A run of COMMAND answers with $FAKE/COMMAND.N, and
// where there is none with $FAKE/COMMAND, N being the how-manyth it is; a file's
// name ending in .err goes to stderr, and one in .status is the exit status. With
// $FAKE/COMMAND.block it waits for SIGINT.
func fakeRestic(args []string) {
	command := args[0]
	noteCall("restic-"+command, args)
	noteEnviron(command)
	calls, err := os.ReadFile(fakeFile("restic-" + command))
	check(err)
	n := strings.Count(string(calls), "\n")
	if command == "version" {
		fmt.Println("restic 0.18.0 compiled with go1.24 on linux/amd64")
		return
	}
	if _, err := os.Stat(fakeFile(command)); command == "snapshots" && err != nil {
		fmt.Println("[]")
	}
	if _, err := os.Stat(fakeFile(command + ".block")); err == nil {
		interrupts := make(chan os.Signal, 1)
		signal.Notify(interrupts, syscall.SIGINT)
		check(os.WriteFile(fakeFile("started"), nil, 0o600))
		<-interrupts
		check(os.WriteFile(fakeFile("interrupted"), []byte(strconv.Itoa(os.Getpid())), 0o600))
		os.Exit(130)
	}
	if dir := os.Getenv("AGENT_STATE_DIR"); command == "backup" {
		saved := fakeFile(fmt.Sprintf("saved.%d", n))
		check(errors.Join(os.RemoveAll(saved), os.CopyFS(saved, os.DirFS(dir))))
	}
	answer := command
	for _, suffix := range []string{"", ".err", ".status"} {
		if _, err := os.Stat(fakeFile(fmt.Sprintf("%s.%d%s", command, n, suffix))); err == nil {
			answer = fmt.Sprintf("%s.%d", command, n)
		}
	}
	copyFile(os.Stdout, answer)
	copyFile(os.Stderr, answer+".err")
	if status, err := os.ReadFile(fakeFile(answer + ".status")); err == nil {
		code, err := strconv.Atoi(strings.TrimSpace(string(status)))
		check(err)
		os.Exit(code)
	}
	if _, err := os.Stat(fakeFile(answer)); command == "backup" && err != nil {
		check(json.NewEncoder(os.Stdout).Encode(map[string]any{
			"message_type": "summary", "snapshot_id": "0123456789abcdef", "total_files_processed": 3,
			"total_bytes_processed": 2048, "data_added_packed": 1024, "total_duration": 1.5,
		}))
	}
}

func fakeFile(name string) string { return filepath.Join(os.Getenv("FAKE"), name) }

var noteMutex sync.Mutex

// noteCall adds a line to $FAKE/name, with the arguments quoted where needed.
func noteCall(name string, args []string) {
	noteMutex.Lock()
	defer noteMutex.Unlock()
	file, err := os.OpenFile(fakeFile(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	check(err)
	// Process IDs differ from run to run.
	container := "--name=restic-" + scriptModule + "-"
	line := strings.ReplaceAll(strings.Join(args, " "), container+strconv.Itoa(os.Getppid()), container+"PID")
	_, err = fmt.Fprintln(file, line)
	check(errors.Join(err, file.Close()))
}

func noteEnviron(command string) {
	var text strings.Builder
	for _, assignment := range os.Environ() {
		if strings.HasPrefix(assignment, "RESTIC_") {
			text.WriteString(assignment + "\n")
		}
	}
	check(os.WriteFile(fakeFile("environ-"+command), []byte(text.String()), 0o600))
}

func copyFile(w io.Writer, name string) {
	data, err := os.ReadFile(fakeFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	check(err)
	_, err = w.Write(data)
	check(err)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake:", err)
		os.Exit(99)
	}
}
