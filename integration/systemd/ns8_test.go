package systemd

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// gatewayImage is what the drop-in names.
const gatewayImage = "ghcr.io/rclone-gateway/rclone-gateway:latest"

// nodeUnit has what the drop-in leaves to NethServer 8's own unit.
const nodeUnit = `[Unit]
Description=What the drop-in changes

[Service]
Type=forking
WorkingDirectory=/var/lib/nethserver/node/state
PIDFile=%t/%N.pid
Environment=PODMAN_SYSTEMD_UNIT=%n
Environment=BACKUP_VOLUME=rclone-webdav
EnvironmentFile=-/var/lib/nethserver/node/state/rclone-webdav.env
Restart=always
TimeoutStartSec=60
SuccessExitStatus=143
ExecStart=/bin/false
ExecStop=/usr/bin/podman stop --ignore --cidfile %t/%N.cid -t 115
ExecStopPost=/usr/bin/podman rm --ignore -f --cidfile %t/%N.cid
`

// runagent stands for NethServer 8's: it writes what rclonegwctl writes.
const runagent = `#!/bin/sh
echo CLUSTER_NETWORK=10.5.4.0/24 >rclone-gateway.env
echo NODE_ID=1 >>rclone-gateway.env
printf '[local]\ntype = alias\nremote = /srv/repo\n' >rclone/rclone.conf
chmod 644 rclone/rclone.conf
`

// node is a machine that has of NethServer 8 what the gateway's unit touches.
func node(t *testing.T) *host {
	t.Helper()
	redis := redistest.Start(t)
	redis.SetupNS8()
	redis.AddModules(mail)
	redis.AddDestinations(redistest.Destination{
		ID: destination, Name: "this node", Provider: "cluster",
		URL: "webdav:http://" + redistest.LeaderIP + ":4694", RcloneConf: "[" + destination + "]\ntype = webdav\n",
	})
	addr := testenv.FreeAddr(t)
	h := &host{machine: boot(t), url: "http://" + addr}
	h.write(t, "/etc/systemd/system/rclone-gateway.service", nodeUnit, 0o644)
	h.write(t, "/etc/nethserver/agent.env", "REDIS_ADDRESS=cluster-leader:1\nREDIS_REPLICA_ADDRESS="+redis.Addr+"\n", 0o644)
	h.write(t, "/var/lib/nethserver/node/state/agent.env", "AGENT_ID=node/1\nREDIS_USER=node/1\nREDIS_PASSWORD="+redistest.Password("node/1")+"\n", 0o600)
	h.write(t, "/usr/local/bin/runagent", runagent, 0o755)

	dropIn, err := os.ReadFile("../../deploy/ns8/50-gateway.conf")
	if err != nil {
		t.Fatal(err)
	}
	// The test shares the network, and so the ports, with everything on this machine.
	changed := bytes.Replace(dropIn, []byte("0.0.0.0:4694"), []byte(addr), 1)
	h.write(t, "/etc/systemd/system/rclone-gateway.service.d/50-gateway.conf", string(changed), 0o644)

	// Virtual machines without CAP_SYS_RESOURCE and with hybrid cgroups need this.
	h.write(t, "/etc/containers/containers.conf", "[containers]\ndefault_ulimits = [\"nofile=1024:1024\",\"nproc=1024:1024\"]\n[engine]\nruntime = \"runc\"\n", 0o644)
	h.write(t, "/etc/containers/storage.conf", "[storage]\ndriver = \"vfs\"\ngraphroot = \"/var/lib/node-storage\"\nrunroot = \"/run/node-storage\"\n", 0o644)
	h.importImage(t)
	return h
}

// importImage gives the machine the image, with the programs as `make build` made
// them: what of the Dockerfile matters here.
func (h *host) importImage(t *testing.T) {
	t.Helper()
	binary, err := os.ReadFile("../../bin/rclone-gateway")
	if err != nil {
		testenv.Missing(t, "run `make build`: %v", err)
	}
	h.write(t, "/image/usr/bin/rclone-gateway", string(binary), 0o755)
	h.run(t, "ln", "-s", "rclone-gateway", "/image/usr/bin/rclone")
	h.run(t, "mkdir", "-p", "/image/srv/repo", "/image/var/lib/rclone-gateway", "/image/etc", "/image/tmp", "/image/run/secrets")
	h.run(t, "chown", "65532:65532", "/image/srv/repo")
	h.run(t, "sh", "-c", "tar -C /image -cf - . | podman import --quiet --change='ENTRYPOINT [\"/usr/bin/rclone-gateway\"]' --change='CMD [\"serve\"]'  --change=ENV=PATH=/usr/bin --change=ENV=GATEWAY_STATE_DIR=/var/lib/rclone-gateway --change=USER=65532 - "+gatewayImage)
}

func TestNethServer8(t *testing.T) {
	h := node(t)
	h.run(t, "systemctl", "daemon-reload")
	h.run(t, "systemctl", "start", "rclone-gateway.service")

	t.Run("the unit is up when the gateway is", func(t *testing.T) {
		if !h.ready() {
			t.Error("it is not ready")
		}
		if state := h.property(t, "ActiveState"); state != "active" {
			t.Errorf("the unit is %s", state)
		}
	})

	t.Run("a module's upload is in the node's volume, owned as before", func(t *testing.T) {
		name, content := blob()
		if status := h.post(t, "/"+destination+"/mail/"+mail.UUID+"/data/"+name, content); status != http.StatusOK {
			t.Fatalf("it answers %d", status)
		}
		volume := h.run(t, "podman", "volume", "inspect", "--format={{.Mountpoint}}", "rclone-webdav")
		stored := filepath.Join(volume, "mail", mail.UUID, "data", name[:2], name)
		if owner := h.run(t, "stat", "--format=%u:%g", stored); owner != "100:101" {
			t.Errorf("it belongs to %s", owner)
		}
	})

	t.Run("rclone in the container reads the node's configuration", func(t *testing.T) {
		listed := h.run(t, "podman", "exec", "rclone-gateway", "rclone", "lsjson", "--max-depth=2", "--dirs-only", "-R", "local:")
		if !strings.Contains(listed, "mail/"+mail.UUID) {
			t.Errorf("it lists %s", listed)
		}
	})

	t.Run("the password is in nothing that podman shows", func(t *testing.T) {
		shown := h.run(t, "podman", "inspect", "rclone-gateway")
		if strings.Contains(shown, redistest.Password("node/1")) {
			t.Error("it is")
		}
	})

	t.Run("reload and restart work as before", func(t *testing.T) {
		before := h.property(t, "MainPID")
		h.run(t, "systemctl", "reload-or-restart", "rclone-gateway.service")
		if after := h.property(t, "MainPID"); after != before {
			t.Error("the reload was a restart")
		}
		h.run(t, "systemctl", "restart", "rclone-gateway.service")
		if !h.ready() {
			t.Error("not ready after a restart")
		}
	})

	t.Run("without the drop-in the node's own unit is back", func(t *testing.T) {
		h.run(t, "systemctl", "stop", "rclone-gateway.service")
		if result := h.property(t, "Result"); result != "success" {
			t.Errorf("the stop: Result=%s", result)
		}
		if left := h.run(t, "podman", "ps", "--all", "--quiet"); left != "" {
			t.Errorf("it left container %s", left)
		}
		h.run(t, "rm", "-r", "/etc/systemd/system/rclone-gateway.service.d")
		h.run(t, "systemctl", "daemon-reload")
		if start := h.property(t, "ExecStart"); !strings.Contains(start, "/bin/false") {
			t.Errorf("ExecStart=%s", start)
		}
	})
}
