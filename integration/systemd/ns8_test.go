package systemd

import (
	"io/fs"
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

const (
	nodeDestination = "0f6d0c5e-54a5-4c11-8f11-3f0f6f2f7c01"
	newDestination  = "1e2b7d9c-aa01-4b1e-bb7e-7d1c6a3f9e02"
	nodeState       = "/var/lib/nethserver/node/state"
	mailState       = "/var/lib/nethserver/mail1/state"
	mailInstall     = "/var/lib/nethserver/mail1"
	resticImage     = "docker.io/restic/restic:0.18.1"
)

var mail = redistest.Module{ID: "mail1", UUID: "2c1a6f0e-8d1c-4f7e-9d6b-0f1f4c4a7b10"}

// nodeUnit is what NethServer 8's own unit has, with rclone instead of the two
// containers.
const nodeUnit = `[Unit]
Description=What the drop-in changes

[Service]
Type=forking
WorkingDirectory=` + nodeState + `
PIDFile=%t/%N.pid
Environment=PODMAN_SYSTEMD_UNIT=%n
Environment=BACKUP_VOLUME=rclone-webdav
EnvironmentFile=-` + nodeState + `/rclone-webdav.env
Restart=always
TimeoutStartSec=60
SuccessExitStatus=143
ExecStartPre=/bin/rm -f %t/%N.pid
ExecStart=/bin/sh -c 'rclone-of-the-node serve restic --addr 127.0.0.1:4694 "$$(podman volume inspect --format={{.Mountpoint}} ${BACKUP_VOLUME})" & echo $! >%t/%N.pid'
ExecStop=/usr/bin/podman stop --ignore --cidfile %t/%N.cid -t 115
ExecStopPost=/usr/bin/podman rm --ignore -f --cidfile %t/%N.cid
`

// runagent runs a command with the environment of the node or of a module, as
// NethServer 8's does.
const runagent = `#!/bin/bash
set -eua -o pipefail
[[ $1 == -m ]]
cd /var/lib/nethserver/$2/state
test ! -e environment || . ./environment
. ./agent.env
shift 2
exec "$@"
`

// rclonegwctl writes what NethServer 8's does, and asks what it asks.
const rclonegwctl = `#!/bin/sh
if [ "$1" = wait-webdav ]; then
  exec curl --silent --show-error --fail --output /dev/null --request OPTIONS --user "$REDIS_USER:$REDIS_PASSWORD" http://127.0.0.1:4694/
fi
echo CLUSTER_NETWORK=10.5.4.0/24 >rclone-gateway.env
echo NODE_ID=1 >>rclone-gateway.env
printf '[local]\ntype = alias\nremote = /srv/repo\n' >rclone/rclone.conf
chmod 644 rclone/rclone.conf
`

// docker makes of the Dockerfile what matters here: an image with the programs as
// make build made them. integration/compose builds the real one.
const docker = `#!/bin/bash
set -eu -o pipefail
[[ $1 == build ]] || exec podman "$@"
[[ $2 == --tag && $4 == . && -e Dockerfile ]]
mkdir -p /image/{usr/bin,srv/repo,var/lib/rclone-gateway,etc,tmp,run/secrets}
cp bin/rclone-gateway /image/usr/bin
ln -s rclone-gateway /image/usr/bin/rclone
chown 65532:65532 /image/srv/repo
tar -C /image -cf - . | podman import --quiet --change='ENTRYPOINT ["/usr/bin/rclone-gateway"]' --change='CMD ["serve"]' \
  --change=ENV=PATH=/usr/bin --change=ENV=GATEWAY_STATE_DIR=/var/lib/rclone-gateway --change=USER=65532 - "$3"
rm -r /image
`

// node is a machine that has of NethServer 8 what the guide touches, and a module
// that is to be backed up.
func node(t *testing.T) (*host, *redistest.Server) {
	t.Helper()
	redis := redistest.Start(t)
	redis.SetupNS8()
	redis.AddModules(mail)
	redis.AddDestinations(redistest.Destination{
		ID: nodeDestination, Name: "this node", Provider: "cluster",
		URL: "webdav:http://" + redistest.LeaderIP + ":4694", RcloneConf: "[" + nodeDestination + "]\ntype = webdav\n",
	})
	redis.AddSchedule(redistest.Schedule{ID: "1", Repository: nodeDestination, Name: "nightly", Instances: []string{mail.ID}})
	h := &host{machine: boot(t), destination: nodeDestination, uuid: mail.UUID, password: redistest.Password("module/" + mail.ID)}

	addresses := "REDIS_ADDRESS=" + redis.Addr + "\nREDIS_REPLICA_ADDRESS=" + redis.Addr + "\n"
	for path, file := range map[string]struct {
		content string
		mode    fs.FileMode
	}{
		"/etc/systemd/system/rclone-gateway.service": {nodeUnit, 0o644},
		"/etc/nethserver/agent.env":                  {addresses, 0o644},
		"/etc/nethserver/core.env":                   {"RESTIC_IMAGE=" + resticImage + "\n", 0o644},
		nodeState + "/agent.env":                     {agentEnvironment("node/1"), 0o600},
		mailState + "/agent.env":                     {agentEnvironment("module/"+mail.ID) + addresses, 0o600},
		mailState + "/environment":                   {"MODULE_ID=" + mail.ID + "\nMODULE_UUID=" + mail.UUID + "\nIMAGE_URL=ghcr.io/nethserver/mail:1.0.0\n", 0o600},
		mailState + "/letters":                       {"what is backed up", 0o600},
		mailInstall + "/etc/state-include.conf":      {"state/letters\n", 0o644},
		"/usr/local/bin/runagent":                    {runagent, 0o755},
		"/usr/local/bin/rclonegwctl":                 {rclonegwctl, 0o755},
		"/usr/local/bin/docker":                      {docker, 0o755},
		// Virtual machines without CAP_SYS_RESOURCE and with hybrid cgroups need this.
		"/etc/containers/containers.conf": {"[containers]\ndefault_ulimits = [\"nofile=1024:1024\",\"nproc=1024:1024\"]\n[engine]\nruntime = \"runc\"\n", 0o644},
		"/etc/containers/storage.conf":    {"[storage]\ndriver = \"vfs\"\ngraphroot = \"/var/lib/node-storage\"\nrunroot = \"/run/node-storage\"\n", 0o644},
	} {
		h.write(t, path, file.content, file.mode)
	}
	h.installPrograms(t)
	return h, redis
}

func agentEnvironment(user string) string {
	return "AGENT_ID=" + user + "\nREDIS_USER=" + user + "\nREDIS_PASSWORD=" + redistest.Password(user) + "\n" +
		"AGENT_STATE_DIR=" + mailState + "\nAGENT_INSTALL_DIR=" + mailInstall + "\n"
}

// installPrograms installs the commands that a node has, and the image of restic.
func (h *host) installPrograms(t *testing.T) {
	t.Helper()
	for _, path := range []string{"bin/gatewayctl", ".cache/bin/rclone", ".cache/restic/0.18/restic"} {
		if _, err := os.Stat(filepath.Join(h.checkout, path)); err != nil {
			testenv.Missing(t, "run `make deps build`: %v", err)
		}
	}
	h.run(t, "bash", "-euc", `cd "$0"
install bin/gatewayctl /usr/local/bin
/usr/local/bin/gatewayctl install-links /usr/local/bin
install .cache/bin/rclone /usr/local/bin/rclone-of-the-node
mkdir -p /image/tmp
install -D .cache/restic/0.18/restic /image/usr/bin/restic
for library in $(ldd /image/usr/bin/restic | grep -o '/[^ ]*'); do cp --parents "$library" /image; done
tar -C /image -cf - . | podman import --quiet --change='ENTRYPOINT ["/usr/bin/restic"]' - "$1"
rm -r /image`, h.checkout, resticImage)
}

func TestNethServer8(t *testing.T) {
	h, redis := node(t)
	g := openGuide(t, h.machine, "deploy/ns8/README.md")
	g.followUntil(t, "docker save", "")
	h.run(t, "podman", "rmi", gatewayImage) // it was made on another machine
	g.followUntil(t, "systemctl restart", "")

	t.Run("the unit is up when the gateway is", func(t *testing.T) {
		if !h.ready() {
			t.Error("it is not ready")
		}
		if state := h.property(t, "ActiveState"); state != "active" {
			t.Errorf("the unit is %s", state)
		}
	})

	t.Run("the commands to look at it find all well", func(t *testing.T) {
		if said := g.followUntil(t, "check-config", ""); !strings.Contains(said, "local:") {
			t.Errorf("no remote in\n%s", said)
		}
	})

	t.Run("a module's upload is in the node's volume, owned as before", func(t *testing.T) {
		name, content := blob()
		if status := h.post(t, h.destination, "/data/"+name, content); status != http.StatusOK {
			t.Fatalf("it answers %d", status)
		}
		volume := h.run(t, "podman", "volume", "inspect", "--format={{.Mountpoint}}", "rclone-webdav")
		stored := filepath.Join(volume, "mail", mail.UUID, "data", name[:2], name)
		if owner := h.run(t, "stat", "--format=%u:%g", stored); owner != "100:101" {
			t.Errorf("it belongs to %s", owner)
		}
		h.run(t, "rm", stored) // nobody founds a repository beside a pack
	})

	t.Run("rclone in the container reads the node's configuration", func(t *testing.T) {
		listed := h.run(t, "podman", "exec", "rclone-gateway", "rclone", "lsjson", "--max-depth=2", "--dirs-only", "-R", "local:")
		if !strings.Contains(listed, "mail/"+mail.UUID) {
			t.Errorf("it lists %s", listed)
		}
	})

	t.Run("it listens on the loopback interface and in the VPN, and nowhere else", func(t *testing.T) {
		h.run(t, "ip", "address", "add", redistest.LeaderIP+"/32", "dev", "lo")
		var listening string
		waitFor(t, "the gateway to listen in the VPN", func() bool {
			listening = h.run(t, "ss", "--no-header", "--listening", "--tcp", "--numeric", "sport = :4694")
			return strings.Contains(listening, redistest.LeaderIP+":4694")
		})
		if strings.Count(listening, "LISTEN") != 2 || !strings.Contains(listening, "127.0.0.1:4694") {
			t.Errorf("it listens on\n%s", listening)
		}
	})

	t.Run("it hears of a destination by the cluster's event", func(t *testing.T) {
		redis.AddDestinations(redistest.Destination{ID: newDestination, Provider: "rclone", RcloneConf: "[" + newDestination + "]\ntype = memory\n"})
		waitFor(t, "the destination to be served", func() bool {
			status, err := h.get("/" + newDestination + "/_probe_rest_404")
			return err == nil && status == http.StatusNotFound
		})
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

	t.Run("another volume is used where the node names one", func(t *testing.T) {
		h.write(t, nodeState+"/rclone-webdav.env", "BACKUP_VOLUME=mine\n", 0o644)
		h.run(t, "systemctl", "restart", "rclone-gateway.service")
		name, content := blob()
		if status := h.post(t, h.destination, "/data/"+name, content); status != http.StatusOK {
			t.Fatalf("it answers %d", status)
		}
		volume := h.run(t, "podman", "volume", "inspect", "--format={{.Mountpoint}}", "mine")
		h.run(t, "stat", filepath.Join(volume, "mail", mail.UUID, "data", name[:2], name))
		h.write(t, nodeState+"/rclone-webdav.env", "", 0o644)
		h.run(t, "systemctl", "restart", "rclone-gateway.service")
	})

	t.Run("a module backs up as before", func(t *testing.T) {
		g.followUntil(t, "module-backup", "")
	})

	t.Run("another image is used from the next start on", func(t *testing.T) {
		const other = "localhost/rclone-gateway:mine"
		h.run(t, "podman", "tag", gatewayImage, other)
		h.run(t, "podman", "untag", gatewayImage, gatewayImage)
		h.write(t, "/etc/systemd/system/rclone-gateway.service.d/60-image.conf", g.files[0], 0o644)
		g.followUntil(t, "podman ps", "")
		if !h.ready() {
			t.Error("not ready")
		}
	})

	t.Run("on the way back the node's own unit serves the same repositories", func(t *testing.T) {
		g.followUntil(t, "rm -r", "")
		if left := h.run(t, "podman", "ps", "--all", "--quiet"); left != "" {
			t.Errorf("container %s is left", left)
		}
		restic := filepath.Join(h.checkout, ".cache/restic/0.18/restic")
		waitFor(t, "rclone to answer", func() bool { _, err := h.get("/"); return err == nil })
		snapshots := h.run(t, "env", "RESTIC_PASSWORD="+redistest.Password(h.destination), "RESTIC_REPOSITORY=rest:"+gatewayURL+"/mail/"+mail.UUID,
			restic, "--no-cache", "ls", "latest")
		if !strings.Contains(snapshots, "/state/letters") {
			t.Errorf("what was backed up is not in\n%s", snapshots)
		}
	})
}
