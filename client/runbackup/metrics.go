package runbackup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// metrics is the file of a schedule's runs for Prometheus, as NethServer 8 has it: 0 from
// the first failure on, 1 after a run that was complete, and else as it was.
type metrics struct {
	sys  *host.System
	file string // "" is none
	id   string
	name string
}

// exporterDir is where NethServer 8's node_exporter looks, in the node's state directory.
const exporterDir = "node_exporter"

func newMetrics(sys *host.System, dir string, s *schedule.Schedule) *metrics {
	if dir == "" {
		dir, _ = sys.Env.Lookup("NS8_METRICS_DIR")
	}
	if dir == "" && sys.Env.OnNS8() {
		for _, place := range []string{filepath.Join(sys.Env.Get("AGENT_STATE_DIR"), exporterDir), exporterDir} {
			if info, err := os.Stat(place); err == nil && info.IsDir() {
				dir = place
				break
			}
		}
	}
	m := &metrics{sys: sys, id: s.ID, name: s.Name}
	if dir != "" {
		m.file = filepath.Join(dir, "backup"+s.ID+".prom")
	}
	return m
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (m *metrics) write(complete bool) {
	if m.file == "" {
		return
	}
	value := 0
	if complete {
		value = 1
	}
	label := func(text string) string { return labelEscaper.Replace(strings.ToValidUTF8(text, "\ufffd")) }
	text := fmt.Sprintf( //nolint:gocritic // Prometheus escapes otherwise than Go
		"# HELP node_backup_status Status of the backup (0 = failure, 1 = success)\n# TYPE node_backup_status gauge\nnode_backup_status{id=\"%s\",name=\"%s\"} %d\n",
		label(m.id), label(m.name), value)
	if err := atomicfile.Write(m.file, []byte(text), 0o644); err != nil {
		m.sys.Warnf("the metrics are not written: %v", err)
	}
}
