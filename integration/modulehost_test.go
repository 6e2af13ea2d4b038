package integration

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// onOtherHost makes a module one whose host reaches no Redis: its environment file says
// so. Its commands would need redis-dump, which refuses there.
func (s *standalone) onOtherHost(t *testing.T, id string) {
	t.Helper()
	file := s.path(id + ".env")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, []byte(strings.ReplaceAll(string(text), "REDIS_ADDRESS="+s.redis.Addr, "REDIS_ADDRESS=none")))
	writeFile(t, filepath.Join(s.path(id), "etc", "state-include.conf"), []byte("volumes/data\n"))
	for _, name := range []string{"bin/module-dump-state", "bin/module-cleanup-state", "actions/restore-module/20loadkey"} {
		if err := os.Remove(filepath.Join(s.path(id), name)); err != nil {
			t.Fatal(err)
		}
	}
}

// data is a file of a module's volume.
func (s *standalone) data(id, name string) string {
	return filepath.Join(s.path(id), "volumes", "data", name)
}

// newModuleHost is a module whose host reaches no Redis, with a schedule.
func newModuleHost(t *testing.T) (*standalone, *served) {
	t.Helper()
	s := newStandalone(t)
	g := s.serve(t)
	s.addStore(t)
	s.addModule(t, "app1")
	s.onOtherHost(t, "app1")
	s.ctl(t, "schedule", "add", "--name", "nightly", "--destination", s.dest, "app1").succeed(t)
	writeFile(t, s.data("app1", "letter.txt"), []byte("dear reader"))
	return s, g
}

// TestModuleHostWithoutRedis backs up, restores and looks, and Redis is asked nothing by it.
func TestModuleHostWithoutRedis(t *testing.T) {
	t.Parallel()
	s, _ := newModuleHost(t)
	s.redis.Do("SET", catalog.ModuleUINameKey("app1"), "The letters")

	for _, word := range []string{"nightly", "1"} {
		s.inModule(t, "app1", "module-backup "+word).succeed(t)
	}
	if got := s.inModule(t, "app1", "restic-wrapper snapshots --json").succeed(t); strings.Count(got.stdout, `"short_id"`) != 2 {
		t.Errorf("restic-wrapper lists %s", got.stdout)
	}
	if got := s.inModule(t, "app1", "restic-wrapper ls latest").succeed(t); !containsAll(got.stdout, []string{"ui_name.dump", "letter.txt"}) {
		t.Errorf("the snapshot holds %s", got.stdout)
	}
	if got := s.inModule(t, "app1", "restic-wrapper --show").succeed(t); !containsAll(got.stdout, []string{s.dest, "app1", "REPOSITORY"}) {
		t.Errorf("restic-wrapper --show says %s", got.stdout)
	}
	if err := os.Remove(s.data("app1", "letter.txt")); err != nil {
		t.Fatal(err)
	}
	got := s.inModule(t, "app1", "restore-module --destination "+s.dest).succeed(t)
	if !strings.Contains(got.stderr, "ui_name.dump is not restored") {
		t.Errorf("of the label it says %s", got.stderr)
	}
	if text, err := os.ReadFile(s.data("app1", "letter.txt")); err != nil || string(text) != "dear reader" {
		t.Errorf("restored is %q, %v", text, err)
	}
	if got := s.ctl(t, "status"); !strings.Contains(got.stdout, "app1") || got.code != 0 {
		t.Errorf("status on the node says (%d) %s%s", got.code, got.stdout, got.stderr)
	}
	if got := s.ctl(t, "runs", "list").succeed(t); strings.Count(got.stdout, "done") != 2 {
		t.Errorf("the history of the node is %s", got.stdout)
	}
	for _, command := range []string{"redis-dump module/app1/x", "redis-restore module/app1/x < app1.env", "gatewayctl status"} {
		if got := s.inModule(t, "app1", command); got.code != 8 || !strings.Contains(got.stderr, "REDIS_ADDRESS is none") {
			t.Errorf("%s: (%d) %s", command, got.code, got.stderr)
		}
	}
}

// TestOutcomesAreToldWithTheNextBackup has the gateway away when a backup ends.
func TestOutcomesAreToldWithTheNextBackup(t *testing.T) {
	t.Parallel()
	s, _ := newModuleHost(t)
	s.inModule(t, "app1", "module-backup 1").succeed(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	got := s.inModule(t, "app1", "env NS8_GATEWAY_URL="+nobody+" module-backup 1")
	if got.code != 5 || !containsAll(got.stderr, []string{"this backup goes by what Redis said last", "will be with the next one"}) {
		t.Fatalf("(%d) %s", got.code, got.stderr)
	}
	if got := s.ctl(t, "runs", "list").succeed(t); strings.Contains(got.stdout, "failed") {
		t.Fatalf("the node knows already: %s", got.stdout)
	}
	s.inModule(t, "app1", "module-backup 1").succeed(t)
	if got := s.ctl(t, "runs", "list").succeed(t); strings.Count(got.stdout, "done") != 2 || strings.Count(got.stdout, "failed") != 1 {
		t.Errorf("the history of the node is %s", got.stdout)
	}
	if left, err := filepath.Glob(filepath.Join(s.path("app1"), "state", ".module-backup.untold-*")); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
