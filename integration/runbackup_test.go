package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/repotest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// runner is a node that runs schedule 1 of module mail1, all with the programs themselves:
// a gateway, Redis, gatewayctl and restic.
type runner struct {
	*cluster

	g    *served
	url  string // of the gateway, by a proxy that sees what is stored
	dir  string
	bin  string
	repo string // on the disk
}

// killingRestic is restic, which has itself and the run end by SIGKILL as soon as it has its
// lock, or the run alone when restic has ended, where the file "at" says so of its command.
const killingRestic = `#!/bin/sh
at=$(cat DIR/at 2>/dev/null)
case "$at" in
"during $1")
	rm DIR/at
	(
		while ! ls REPO/locks | grep -q .; do sleep 0.005; done
		kill -9 $(cat DIR/pid) $$
	) &
	;;
"after $1")
	rm DIR/at
	RESTIC "$@"
	status=$?
	kill -9 $(cat DIR/pid)
	exit $status
	;;
esac
exec RESTIC "$@"
`

func newRunner(t testing.TB) *runner {
	t.Helper()
	c := newCluster(t)
	c.Do("HSET", "private/agents/backup_destination/restic_password", localDest, resticPassword)
	c.AddSchedule(redistest.Schedule{ID: "1", Repository: localDest, Name: "nightly", Instances: []string{"mail1"}, Retention: 1})
	c.Do("HSET", catalog.PlanKey("1"), "prune", "*:*:*", "check", "*:*:*", "read_days", "0")
	c.Do("HSET", catalog.LimitsKey(localDest), catalog.FieldLeases, 1)
	r := &runner{cluster: c, g: c.serve(t), dir: t.TempDir(), repo: filepath.Join(c.dir, mailRepo)}
	r.bin = filepath.Join(r.dir, "bin")
	script := strings.NewReplacer("DIR", r.dir, "REPO", r.repo, "RESTIC", program(t, "RESTIC_0_18")).Replace(killingRestic)
	writeFile(t, filepath.Join(r.bin, "restic"), []byte(script))
	if err := os.Chmod(filepath.Join(r.bin, "restic"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.url = r.proxy(t)
	r.addModule(t, mail)
	return r
}

// proxy is in front of the gateway, and ends the run where the file "at" says so of status:
// when the file beside the repository is to be stored.
func (r *runner) proxy(t testing.TB) string {
	t.Helper()
	target, err := url.Parse(r.g.url)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	forward.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of runs that were killed
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if at, _ := os.ReadFile(filepath.Join(r.dir, "at")); string(at) == "during status" && req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, ".json") {
			_ = os.Remove(filepath.Join(r.dir, "at"))
			r.kill(t)
			return
		}
		forward.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// kill ends the run.
func (r *runner) kill(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "pid"))
	pid, errPID := strconv.Atoi(strings.TrimSpace(string(text)))
	if err := errors.Join(err, errPID); err != nil {
		t.Error(err)
		return
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

// addModule makes the files of a module, and says how it is run.
func (r *runner) addModule(t testing.TB, m redistest.Module) {
	t.Helper()
	home := filepath.Join(r.dir, m.ID)
	app, user := strings.TrimRight(m.ID, "0123456789"), "module/"+m.ID
	image := "ghcr.io/nethserver/" + app + ":latest"
	repotest.New(t, 2, resticPassword).Save(t, filepath.Join(r.cluster.dir, app, m.UUID))
	env := []string{
		"MODULE_ID=" + m.ID, "MODULE_UUID=" + m.UUID, "IMAGE_URL=" + image, "AGENT_ID=" + user,
		"REDIS_USER=" + user, "REDIS_PASSWORD=" + redistest.Password(user), "REDIS_ADDRESS=" + r.Addr, "REDIS_REPLICA_ADDRESS=" + r.Addr,
		"AGENT_STATE_DIR=" + filepath.Join(home, "state"), "AGENT_INSTALL_DIR=" + home, "NS8_RESTIC_RUNTIME=native", "NS8_GATEWAY_URL=" + r.url,
	}
	for name, text := range map[string]string{
		filepath.Join(home, "state", "environment"):      "IMAGE_URL=" + image + "\n",
		filepath.Join(home, "etc", "state-include.conf"): "state/environment\nvolumes/data\n",
		filepath.Join(home, "volumes", "data", "file"):   "one",
		filepath.Join(r.dir, "modules.d", m.ID):          "ENV_FILE=" + filepath.Join(r.dir, m.ID+".env") + "\n",
		filepath.Join(r.dir, m.ID+".env"):                strings.Join(env, "\n") + "\n",
	} {
		writeFile(t, name, []byte(text))
	}
}

func (r *runner) command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := commandContext(t, program(t, "GATEWAYCTL"), args...)
	cmd.Env = []string{
		"PATH=" + r.bin + ":" + os.Getenv("PATH"), "HOME=" + r.dir, "TMPDIR=" + r.dir, "NS8_RESTIC_RUNTIME=native", "NS8_GATEWAY_URL=" + r.url, "NODE_ID=1",
		"REDIS_ADDRESS=" + r.Addr, "REDIS_REPLICA_ADDRESS=" + r.Addr, "REDIS_USER=node/1", "REDIS_PASSWORD=" + redistest.Password("node/1"),
		"GATEWAY_MODULES_DIR=" + filepath.Join(r.dir, "modules.d"), "NS8_CORE_ENV=/nonexistent", "NS8_AGENT_ENV=/nonexistent",
	}
	return cmd
}

// start starts the schedule. At is where the run is to be killed, "" nowhere.
func (r *runner) start(t testing.TB, planned time.Time, at string, more ...string) (*exec.Cmd, *testenv.Buffer) {
	t.Helper()
	if at != "" {
		writeFile(t, filepath.Join(r.dir, "at"), []byte(at))
	}
	cmd := r.command(t, append([]string{
		"run-backup", "--backup", "1", "--planned", planned.Format(time.RFC3339), "--state-dir", filepath.Join(r.dir, "runs"),
		"--metrics-dir", r.dir, "--retry-every", "200ms",
	}, more...)...)
	said := new(testenv.Buffer)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(r.dir, "pid"), fmt.Append(nil, cmd.Process.Pid))
	return cmd, said
}

// run is start and to wait for the end.
func (r *runner) run(t *testing.T, code int, planned time.Time, more ...string) string {
	t.Helper()
	cmd, said := r.start(t, planned, "", more...)
	r.wantEnd(t, cmd, said, code)
	return said.String()
}

func (r *runner) wantEnd(t testing.TB, cmd *exec.Cmd, said *testenv.Buffer, code int) {
	t.Helper()
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("exit status %d, want %d:\n%s", got, code, said.String())
	}
}

// outcomes are those of the run that was planned for a time: "kind outcome".
func (r *runner) outcomes(t *testing.T, planned time.Time) (outcomes []string) {
	t.Helper()
	runs, err := history.Read(t.Context(), r.Client("node/1", redistest.Password("node/1")), history.Query{Schedule: "1"})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, run := range runs {
		if run.Planned.Equal(planned) {
			outcomes = append(outcomes, fmt.Sprintf("%s %s", run.Kind, run.Outcome))
			ids[run.ID] = true
		}
	}
	if len(ids) > 1 {
		t.Errorf("the run has the IDs %v", ids)
	}
	slices.Sort(outcomes)
	return outcomes
}

func (r *runner) wantOutcomes(t *testing.T, planned time.Time, want ...string) {
	t.Helper()
	if got := r.outcomes(t, planned); !slices.Equal(got, want) {
		t.Errorf("the outcomes are %q, want %q", got, want)
	}
}

// wantSettled wants nothing left of killed runs.
func (r *runner) wantSettled(t *testing.T) {
	t.Helper()
	if locks := filesBelow(t, filepath.Join(r.repo, "locks")); len(locks) > 0 {
		t.Errorf("there are locks %q", locks)
	}
	if live := r.Do("KEYS", "node/*/backup_lease_live/*").([]any); len(live) > 0 {
		t.Errorf("there are leases %v", live)
	}
	for _, name := range filesBelow(t, filepath.Join(r.dir, "runs")) {
		if strings.HasSuffix(name, ".json") && !strings.HasPrefix(name, "known-") {
			t.Errorf("there is %s", name)
		}
	}
}

var all = []string{"backup done", "check done", "prune done", "retention done"}

// TestRunBackup has a run meet one fault after another, on a destination that demands leases.
func TestRunBackup(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	at := time.Now().Truncate(time.Second).UTC()
	next := func() time.Time { at = at.Add(time.Hour); return at }

	r.run(t, 0, next())
	r.wantOutcomes(t, at, all...)
	r.wantSettled(t)
	r.wantListedWithoutRestic(t)

	t.Run("killed at each stage it goes on, and ends as if it had not been", func(t *testing.T) { r.testKilled(t, next()) })
	t.Run("while Redis is away it runs on what is known", func(t *testing.T) { r.testRedisAway(t, next()) })
	t.Run("while Redis fails over it runs under restic's lock, and records later", func(t *testing.T) { r.testFailover(t, next()) })
	t.Run("a full destination is a failure that is pruned at once", func(t *testing.T) { r.testFull(t, next) })
	t.Run("a lock that nobody holds by a lease is not removed", func(t *testing.T) { r.testForeignLock(t, next()) })
}

// wantListedWithoutRestic wants that who lists snapshots after a run need not wait for restic.
func (r *runner) wantListedWithoutRestic(t *testing.T) {
	t.Helper()
	cmd := r.command(t, "snapshot", "list", "--destination", localDest, "mail1")
	cmd.Env = append(cmd.Env, "PATH=/nonexistent")
	if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), "\n") != 2 {
		t.Errorf("%v: %s", err, out)
	}
}

func (r *runner) testKilled(t *testing.T, planned time.Time) {
	for _, stage := range []string{"during backup", "during status", "during forget", "after forget", "during prune", "after prune", "during check", "after check"} {
		cmd, said := r.start(t, planned, stage)
		_ = cmd.Wait()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
			t.Fatalf("%s: it was not killed, but ended with %v:\n%s", stage, cmd.ProcessState, said.String())
		}
		// Its leases end a minute later by themselves.
		r.endLeases("1", mailRepo)
	}
	said := r.run(t, 0, planned)
	if !strings.Contains(said, "it goes on where it was") {
		t.Errorf("it said:\n%s", said)
	}
	r.wantOutcomes(t, planned, all...)
	r.wantSettled(t)
	if metric, err := os.ReadFile(filepath.Join(r.dir, "backup1.prom")); err != nil || !strings.Contains(string(metric), "} 1\n") {
		t.Errorf("the metric is %q, %v", metric, err)
	}
	module := newRestic(t, "RESTIC_0_18", r.g.url+"/"+localDest, mailRepo, "module/mail1")
	module.run(t, "check", "--read-data")
	if ids := snapshotIDs(t, module); len(ids) > 2 {
		t.Errorf("there are %d snapshots", len(ids))
	}
}

func (r *runner) testRedisAway(t *testing.T, planned time.Time) {
	r.Stop()
	cmd, said := r.start(t, planned, "")
	waitFor(t, "the backup to be made", func() bool { return strings.Contains(said.String(), "mail1: backup done") })
	waitFor(t, "the rest to wait", func() bool { return strings.Contains(said.String(), "mail1: to be tried again") })
	r.Restart()
	r.wantEnd(t, cmd, said, 0)
	for _, text := range []string{"this run goes by what Redis said last time", "this backup goes by what Redis said last", "going on under restic's lock alone", "outcomes are recorded when Redis is back"} {
		if !strings.Contains(said.String(), text) {
			t.Errorf("it does not say %q:\n%s", text, said.String())
		}
	}
	r.wantOutcomes(t, planned, all...)
	r.wantStatus(t)
	r.wantSettled(t)
}

// wantStatus wants the status that NethServer 8 reads to be of a backup just now.
func (r *runner) wantStatus(t *testing.T) {
	t.Helper()
	var status struct{ End, Errors int64 }
	text, _ := r.Do("HGET", catalog.BackupStatusKey("1", "1"), "mail1").(string)
	if err := json.Unmarshal([]byte(text), &status); err != nil || status.Errors != 0 || time.Since(time.Unix(status.End, 0)) > patience {
		t.Errorf("the status is %q, %v", text, err)
	}
	r.Do("HDEL", catalog.BackupStatusKey("1", "1"), "mail1")
}

func (r *runner) testFailover(t *testing.T, planned time.Time) {
	r.Do("REPLICAOF", "127.0.0.1", "1") // it answers reads, and refuses writes
	cmd, said := r.start(t, planned, "")
	waitFor(t, "the rest to wait", func() bool { return strings.Contains(said.String(), "mail1: to be tried again") })
	r.Do("REPLICAOF", "NO", "ONE")
	r.wantEnd(t, cmd, said, 0)
	r.wantOutcomes(t, planned, all...)
	r.wantStatus(t)
	r.wantSettled(t)
}

func (r *runner) testFull(t *testing.T, next func() time.Time) {
	limit := func(args ...any) {
		r.Do(args...)
		if err := r.g.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	content, _ := blob(1 << 20)
	writeFile(t, filepath.Join(r.dir, "mail1", "volumes", "data", "more"), content)
	limit("HSET", catalog.LimitsKey(localDest), catalog.FieldModuleQuota, 100_000)
	planned := next()
	said := r.run(t, 1, planned)
	if !strings.Contains(said, "schedule 1 failed for mail1") || !strings.Contains(said, "quota") {
		t.Errorf("it said:\n%s", said)
	}
	outcomes := r.outcomes(t, planned)
	if !slices.Contains(outcomes, "backup failed") || !slices.Contains(outcomes, "retention skipped") || len(outcomes) != 4 {
		t.Errorf("the outcomes are %q", outcomes)
	}
	cmd := r.command(t, "status")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "1 of 1 need attention") {
		t.Errorf("the status is %s, %v", out, err)
	}
	limit("HDEL", catalog.LimitsKey(localDest), catalog.FieldModuleQuota)
	planned = next()
	r.run(t, 0, planned)
	r.wantOutcomes(t, planned, all...)
}

// testForeignLock has somebody work on the repository without a lease, whose lock is fresh.
func (r *runner) testForeignLock(t *testing.T, planned time.Time) {
	module := newRestic(t, "RESTIC_0_18", r.g.url+"/"+localDest, mailRepo, "module/mail1")
	holder := module.command(t, "backup", "--stdin", "--stdin-filename", "x", "--host", "elsewhere")
	heard := new(testenv.Buffer)
	holder.Stderr = heard
	pipe, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	locks := func() []string { // whole ones
		return slices.DeleteFunc(filesBelow(t, filepath.Join(r.repo, "locks")), func(name string) bool { return strings.HasPrefix(name, ".") })
	}
	waitFor(t, "restic's lock", func() bool { return len(locks()) > 0 })
	before := locks()
	cmd, said := r.start(t, planned, "")
	waitFor(t, "the run to meet the lock", func() bool { return strings.Contains(said.String(), "the repository is locked: removing stale locks") })
	if !slices.Contains(locks(), before[0]) {
		t.Errorf("the lock of a live run %q is gone: %q", before, locks())
	}
	_, err = pipe.Write([]byte("content"))
	if err := errors.Join(err, pipe.Close()); err != nil {
		t.Fatal(err)
	}
	if err := holder.Wait(); err != nil {
		t.Errorf("who held it: %v: %s", err, heard.String())
	}
	r.wantEnd(t, cmd, said, 0)
	r.wantOutcomes(t, planned, all...)
	r.wantSettled(t)
}
