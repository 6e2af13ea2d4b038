package systemd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// gatewayURL is where the gateway of the guides is.
const gatewayURL = "http://127.0.0.1:4694"

// store is where the guide puts a destination.
const store = "/srv/backups"

// host is a machine on which the gateway runs, at the address of the guides.
type host struct {
	*machine
	destination string
	uuid        string // of the module mail1
	password    string // of its user
}

// install follows the guide until the gateway runs with a destination on a local
// disk, beside the Redis that Debian installs.
func install(t *testing.T) (*host, *guide) {
	t.Helper()
	h := &host{machine: boot(t)}
	if _, err := os.Stat(filepath.Join(h.root, "/lib/systemd/system/redis-server.service")); err != nil {
		testenv.Missing(t, "install redis-server: %v", err)
	}
	h.run(t, "systemctl", "start", "redis-server.service")

	g := openGuide(t, h.machine, "deploy/systemd/README.md")
	g.followUntil(t, "rclone-gateway health", typedPassword+"\n")
	g.editor = g.files[0]
	g.followUntil(t, "systemctl edit rclone-gateway.service", "")
	added := g.followUntil(t, "gatewayctl destination add", "")
	h.destination, _, _ = strings.Cut(added, "\n")

	variables := map[string]string{}
	for line := range strings.Lines(h.run(t, "/usr/local/bin/gatewayctl", "module", "add", "mail1")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		variables[name] = value
	}
	h.uuid, h.password = variables["MODULE_UUID"], variables["REDIS_PASSWORD"]
	return h, g
}

// typedPassword is what is typed when the guide asks for Redis's password.
const typedPassword = "typed-by-somebody-on-a-terminal"

func TestUnits(t *testing.T) {
	h, g := install(t)

	t.Run("the service stores what a module sends", func(t *testing.T) {
		name, content := blob()
		for path, body := range map[string][]byte{"/?create=true": nil, "/data/" + name: content} {
			if status := h.post(t, h.destination, path, body); status != http.StatusOK {
				t.Fatalf("POST %s answers %d", path, status)
			}
		}
		stored := filepath.Join(h.root, store, "mail", h.uuid, "data", name[:2], name)
		info, err := os.Stat(stored)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may read the pack: %v", info.Mode())
		}
		if owner := h.run(t, "stat", "--format=%U", strings.TrimPrefix(stored, h.root)); owner != "rclone-gateway" {
			t.Errorf("the pack belongs to %s", owner)
		}
	})

	var unwritable string
	t.Run("the service writes nowhere but where it was told", func(t *testing.T) {
		h.run(t, "install", "-d", "-o", "rclone-gateway", "-m", "700", "/srv/elsewhere")
		added := h.run(t, "sh", "-c", `printf '[x]\ntype = local\n' |
			/usr/local/bin/gatewayctl destination add --no-test --provider rclone --conf - --base-path /srv/elsewhere --name x 2>/dev/null`)
		unwritable, _, _ = strings.Cut(added, "\n")
		name, content := blob()
		if status := h.post(t, unwritable, "/data/"+name, content); status < 500 {
			t.Errorf("an upload to a path outside ReadWritePaths= answers %d", status)
		}
		if entries, err := os.ReadDir(filepath.Join(h.root, "/srv/elsewhere")); err != nil || len(entries) > 0 {
			t.Errorf("it left %v there (%v)", entries, err)
		}
	})

	t.Run("the password is in no property of the unit and in no environment", func(t *testing.T) {
		environ, err := os.ReadFile(filepath.Join(h.root, "proc", h.property(t, "MainPID"), "environ"))
		if err != nil {
			t.Fatal(err)
		}
		shown := string(environ) + h.run(t, "systemctl", "show", "rclone-gateway.service")
		if strings.Contains(shown, typedPassword) {
			t.Error("it is")
		}
	})

	t.Run("what it remembers of disks is in its state directory", func(t *testing.T) {
		entries, err := os.ReadDir(filepath.Join(h.root, "/var/lib/rclone-gateway"))
		if err != nil || len(entries) == 0 {
			t.Errorf("%v (%v)", entries, err)
		}
	})

	t.Run("other addresses are those of the socket unit", func(t *testing.T) {
		g.editor = g.files[1]
		g.followUntil(t, "--unix-socket", "")
		waitFor(t, "the gateway to be ready at the TCP address", h.ready)
	})

	t.Run("the journal knows how grave each line is", func(t *testing.T) {
		waitFor(t, "the journal to show the failed upload", func() bool { return strings.Contains(h.journal(t), unwritable) })
		grave := g.followUntil(t, "journalctl", "")
		if !strings.Contains(grave, unwritable) {
			t.Errorf("the failed upload is not among\n%s", grave)
		}
		if strings.Contains(grave, "loaded from Redis") {
			t.Errorf("what went well is among\n%s", grave)
		}
	})

	t.Run("a signal makes the log more verbose", func(t *testing.T) {
		openGuide(t, h.machine, "docs/metrics.md").followUntil(t, "systemctl kill", "")
		waitFor(t, "the journal to show the level", func() bool {
			return strings.Contains(h.journal(t), `"log_level":"debug"`)
		})
		name, _ := blob()
		h.do(t, http.MethodHead, h.destination, "/data/"+name, nil)
		waitFor(t, "the journal to have a line of a request that went well", func() bool {
			return strings.Contains(h.journal(t), `"level":"DEBUG","msg":"request"`)
		})
	})

	t.Run("a restart refuses no connection", func(t *testing.T) {
		before := h.property(t, "MainPID")
		ctx, cancel := context.WithCancel(t.Context())
		refused := make(chan error, 1)
		asked := 0
		go func() {
			defer close(refused)
			for ; ctx.Err() == nil; asked++ {
				if _, err := h.get("/-/healthy"); err != nil {
					refused <- err
					return
				}
			}
		}()
		for range 3 {
			h.run(t, "systemctl", "restart", "rclone-gateway.service")
		}
		cancel()
		if err := <-refused; err != nil {
			t.Errorf("request %d: %v", asked, err)
		}
		if after := h.property(t, "MainPID"); after == before {
			t.Error("nothing was restarted")
		}
		waitFor(t, "the gateway to be ready", h.ready)
	})

	t.Run("a reload loads from Redis again", func(t *testing.T) {
		before := h.property(t, "MainPID")
		g.followUntil(t, "systemctl reload", "")
		waitFor(t, "the journal to show the reload", func() bool {
			return strings.Contains(h.journal(t), `"reloaded"`)
		})
		if after := h.property(t, "MainPID"); after != before {
			t.Error("the reload was a restart")
		}
	})

	t.Run("a gateway that hangs is replaced", func(t *testing.T) {
		const dropIn = "/etc/systemd/system/rclone-gateway.service.d/watchdog.conf"
		restart := func() {
			h.run(t, "systemctl", "daemon-reload")
			h.run(t, "systemctl", "restart", "rclone-gateway.service")
			waitFor(t, "the gateway to be ready", h.ready)
		}
		// On a busy machine it may be late by seconds without hanging.
		h.write(t, dropIn, "[Service]\nWatchdogSec=10\n", 0o644)
		restart()
		hangs := h.property(t, "MainPID")
		if hangs == "0" {
			t.Fatal("no process to stop") // and 0 is all of this test's
		}
		h.run(t, "kill", "-STOP", hangs)
		waitFor(t, "another process", func() bool {
			after := h.property(t, "MainPID")
			return after != hangs && after != "0"
		})
		waitFor(t, "the journal to say what it was doing", func() bool {
			journal := h.journal(t)
			return strings.Contains(journal, "SIGABRT: abort") && strings.Contains(journal, "goroutine ")
		})
		h.run(t, "rm", dropIn)
		restart()
	})

	t.Run("it starts after Redis and is not stopped with it", func(t *testing.T) {
		if after := h.property(t, "After"); !strings.Contains(after, "redis-server.service") {
			t.Errorf("After=%s", after)
		}
		before := h.property(t, "MainPID")
		h.run(t, "systemctl", "stop", "redis-server.service")
		name, _ := blob()
		if status := h.do(t, http.MethodHead, h.destination, "/data/"+name, nil); status != http.StatusOK {
			t.Errorf("without Redis the gateway answers %d", status)
		}
		if after := h.property(t, "MainPID"); after != before {
			t.Error("it was restarted")
		}
		h.run(t, "systemctl", "start", "redis-server.service")
	})

	t.Run("a module backs up by the clock", func(t *testing.T) {
		h.run(t, "bash", "-euc", `cd /srv
PATH=/usr/local/bin:$PATH
mkdir -p notes1/volumes/data notes1/etc
echo 'Water the plants' >notes1/volumes/data/todo.txt
echo volumes/data >notes1/etc/state-include.conf
gatewayctl module add --dir /srv/notes1 --env-file notes1.env notes1
gatewayctl schedule add --destination "$0" notes1`, h.destination)
		clock := openGuide(t, h.machine, "docs/standalone.md")
		for _, unit := range strings.Split("\n"+clock.files[0], "\n# /")[1:] {
			path, content, _ := strings.Cut(unit, "\n")
			h.write(t, "/"+path, content+"\n", 0o644)
		}
		clock.followUntil(t, "systemctl start", "")
		if snapshots, err := filepath.Glob(filepath.Join(h.root, store, "notes/*/snapshots/*")); err != nil || len(snapshots) == 0 {
			t.Errorf("%d snapshots (%v)", len(snapshots), err)
		}
		// A unit has no $HOME: without the unit's directory restic would keep no cache.
		if cached := h.run(t, "find", "/var/cache/backup-notes1", "-path", "*/snapshots/*", "-type", "f"); cached == "" {
			t.Error("restic keeps no cache")
		}
		if next := h.run(t, "systemctl", "show", "--property=NextElapseUSecRealtime", "--value", "backup-notes1.timer"); next == "" {
			t.Error("the timer will not elapse")
		}
	})

	t.Run("the timers of schedules run them, and what comes of it is in the status", func(t *testing.T) {
		wantTimersRun(t, h)
	})

	t.Run("the sandbox is as tight as the guide says", func(t *testing.T) {
		g.followUntil(t, "systemd-analyze security", "")
	})

	t.Run("a stop is a success, and nothing starts again", func(t *testing.T) {
		g.followUntil(t, "systemctl disable", "")
		if result := h.property(t, "Result"); result != "success" {
			t.Errorf("Result=%s", result)
		}
		if _, err := h.get("/-/healthy"); err == nil {
			t.Error("something answers")
		}
	})
}

// journal is what the gateway has logged.
func (h *host) journal(t *testing.T) string {
	t.Helper()
	return h.run(t, "journalctl", "--unit=rclone-gateway", "--output=cat")
}

func (h *host) ready() bool {
	status, err := h.get("/-/ready")
	return err == nil && status == http.StatusOK
}

// get asks over a connection of its own.
func (h *host) get(path string) (status int, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get(gatewayURL + path)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func blob() (name string, content []byte) {
	content = []byte("what is backed up")
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), content
}

// post asks as the module, for a path of its repository.
func (h *host) post(t *testing.T, destination, path string, body []byte) (status int) {
	t.Helper()
	return h.do(t, http.MethodPost, destination, path, body)
}

func (h *host) do(t *testing.T, method, destination, path string, body []byte) (status int) {
	t.Helper()
	url := gatewayURL + "/" + destination + "/mail/" + h.uuid + path
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("module/mail1", h.password)
	req.Header.Set("Accept", "application/vnd.x.restic.rest.v2")
	req.Close = true // the next request may meet another process
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
