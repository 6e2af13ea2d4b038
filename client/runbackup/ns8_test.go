package runbackup

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// agent makes a script what runagent runs for a module, or the cluster. Their names are
// unlike those of other tests, which have the same runagent.
func (w *world) agent(module, script string) {
	w.t.Helper()
	w.write(filepath.Join(bin, module), "#!/bin/sh\nDIR="+w.dir+"\n"+script+"\n", 0o700)
}

// newNS8 is a node of NethServer 8, the leader.
func newNS8(t *testing.T, modules ...string) *world {
	t.Helper()
	w := newWorld(t, modules...)
	core := filepath.Join(w.dir, "core.env")
	w.write(core, "RESTIC_IMAGE=docker.io/restic/restic:0.18.0\n", 0o600)
	w.env["NS8_CORE_ENV"], w.env["AGENT_ID"], w.env["AGENT_STATE_DIR"] = core, "node/1", filepath.Join(w.dir, "node", "state")
	w.write(filepath.Join(w.dir, "node", "state", "node_exporter", "other.prom"), "", 0o600)
	return w
}

// TestAsNethServer8RunsIt is the contract: runagent, status, event, manifest, the backup of
// the cluster, the file for Prometheus.
func TestAsNethServer8RunsIt(t *testing.T) {
	t.Parallel()
	w := newNS8(t, "nsgood1", "nsgone1", "nspartial1")
	w.redis.RemoveModule("nsgone1")
	w.agent("nsgood1", `echo "$@" > $DIR/called`)
	w.agent("nspartial1", "exit 4")
	w.agent("cluster", `echo "$1" >> $DIR/called-cluster; mkdir -p $DIR/cluster/state/backup; printf sealed > $DIR/cluster/state/backup/dump.json.gz.gpg`)
	events := w.redis.Admin().Subscribe(t.Context(), catalog.ChannelBackupStatusChanged("1"))
	defer func() { _ = events.Close() }()
	if _, err := events.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	noMetrics := func(o *options) { o.metricsDir = "" }

	w.want(exit.Failed, noMetrics)
	w.wantOutcomes("nsgone1 backup skipped", "nsgood1 backup done", "nsgood1 retention done", "nspartial1 backup partial", "nspartial1 retention done")
	w.wantSaid("schedule 1 failed for nspartial1") // NethServer 8 knows no partial backups
	if got := w.read("called"); got != "module-backup 1\n" {
		t.Errorf("the module ran %q", got)
	}
	status := w.redis.Do("HGETALL", catalog.BackupStatusKey("1", "1")).(map[any]any)
	if len(status) != 2 {
		t.Errorf("there are statuses of %v", status)
	}
	var fields map[string]int64
	if err := json.Unmarshal([]byte(status["nsgood1"].(string)), &fields); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(fields))
	if want := []string{"end", "errors", "snapshots_count", "start", "total_file_count", "total_size"}; !slices.Equal(names, want) || fields["errors"] != 0 || fields["total_size"] != 2048 || fields["end"] < fields["start"] {
		t.Errorf("the status is %v", fields)
	}
	if !strings.Contains(status["nspartial1"].(string), `"errors":1`) {
		t.Errorf("that of a partial backup is %v", status["nspartial1"])
	}
	message, err := events.ReceiveMessage(t.Context())
	if err != nil || message.Payload != `{"node_id":1,"backup_id":1,"module_id":"nsgood1"}` {
		t.Errorf("the event is %v, %v", message, err)
	}
	wantManifest(t, w, "/"+destination+"/nsgood/"+uuid(0)+".json", "nsgood1", true)
	wantManifest(t, w, "/"+destination+"/nspartial/"+uuid(2)+".json", "nspartial1", false)
	if got := w.stored()["/"+destination+"/cluster-backup-"+redistest.ClusterUUID+".json.gz.gpg"]; got != "sealed" {
		t.Errorf("of the cluster is stored %q", got)
	}
	if got := w.read("called-cluster"); got != "cluster-backup\n" {
		t.Errorf("the cluster ran %q", got)
	}
	metrics := filepath.Join("node", "state", "node_exporter", "backup1.prom")
	if got := w.read(metrics); !strings.HasSuffix(got, "} 0\n") {
		t.Errorf("the metrics are %q", got)
	}

	// That the cluster's configuration is not backed up is told, and is no module's failure;
	// a module that is gone is nobody's.
	w.agent("nspartial1", "exit 0")
	w.agent("cluster", "exit 1")
	w.want(exit.OK, noMetrics)
	w.wantSaid("the backup of the cluster's configuration failed: cluster-backup: exit status 1")
	if got := w.read(metrics); !strings.HasSuffix(got, "} 1\n") {
		t.Errorf("the metrics are %q", got)
	}
	w.redis.Do("HSET", catalog.BackupKey("1"), "enabled", "")
	w.want(exit.OK, noMetrics)
	w.wantSaid("backup schedule 1 is not enabled: nothing is run")
	w.want(exit.Failed, noMetrics, func(o *options) { o.backup = "77" })
	_ = os.Remove(filepath.Join(bin, "cluster"))
}

func wantManifest(t *testing.T, w *world, path, id string, success bool) {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(w.stored()[path]), &m); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	names := slices.Sorted(maps.Keys(m))
	if want := []string{"cluster_uuid", "module_id", "module_ui_name", "node_fqdn", "success", "timestamp", "uuid"}; !slices.Equal(names, want) || m["module_id"] != id || m["success"] != success || m["cluster_uuid"] != redistest.ClusterUUID {
		t.Errorf("%s is %v", path, m)
	}
}

// TestOnAnotherNodeThanTheLeader backs up its own modules and no cluster.
func TestOnAnotherNodeThanTheLeader(t *testing.T) {
	t.Parallel()
	w := newNS8(t, "nsleader1", "nsother1")
	w.redis.AddNode("2", "10.5.4.2")
	w.redis.Do("HSET", catalog.ModuleNode, "nsother1", "2")
	w.redis.RemoveModule("nsleader1")
	w.env["NODE_ID"], w.env["REDIS_USER"], w.env["REDIS_PASSWORD"], w.env["AGENT_ID"] = "2", "node/2", redistest.Password("node/2"), "node/2"
	w.agent("nsother1", "exit 0")
	w.want(exit.OK)
	w.wantOutcomes("nsother1 backup done", "nsother1 retention done") // what is gone is the leader's to tell
	for path := range w.stored() {
		if strings.Contains(path, "cluster-backup") {
			t.Errorf("it stored %s", path)
		}
	}
	if _, err := os.Stat(filepath.Join(w.dir, "called-cluster")); err == nil {
		t.Error("it backed up the cluster")
	}
}
