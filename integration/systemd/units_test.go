package systemd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

const (
	destination = "0f6d0c5e-54a5-4c11-8f11-3f0f6f2f7c01"
	unwritable  = "1e2b7d9c-aa01-4b1e-bb7e-7d1c6a3f9e02"
	store       = "/srv/backups"
)

var mail = redistest.Module{ID: "mail1", UUID: "2c1a6f0e-8d1c-4f7e-9d6b-0f1f4c4a7b10"}

// host is a machine on which the gateway was installed as deploy/systemd/README.md
// tells.
type host struct {
	*machine
	url string
}

func install(t *testing.T) *host {
	t.Helper()
	redis := redistest.Start(t)
	redis.SetupNS8()
	redis.AddModules(mail)
	redis.AddLocalDestination(destination, store)
	redis.AddLocalDestination(unwritable, "/srv/elsewhere")
	addr := testenv.FreeAddr(t)
	h := &host{machine: boot(t), url: "http://" + addr}

	if out, err := exec.Command("make", "-C", "../..", "install", "DESTDIR="+h.root).CombinedOutput(); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	h.run(t, "systemd-sysusers")
	h.write(t, "/etc/rclone-gateway/rclone-gateway.env", "REDIS_ADDRESS="+redis.Addr+"\nREDIS_USER=node/1\nNODE_ID=1\n", 0o644)
	h.write(t, "/etc/rclone-gateway/redis-password", redistest.Password("node/1")+"\n", 0o600)
	h.run(t, "install", "-d", "-o", "rclone-gateway", "-m", "700", store, "/srv/elsewhere")
	h.write(t, "/etc/systemd/system/rclone-gateway.service.d/storage.conf", "[Service]\nReadWritePaths="+store+"\n", 0o644)
	h.write(t, "/etc/systemd/system/rclone-gateway.socket.d/address.conf", "[Socket]\nListenStream=\nListenStream="+addr+"\n", 0o644)
	h.run(t, "systemctl", "daemon-reload")
	h.run(t, "systemctl", "enable", "--now", "rclone-gateway.socket", "rclone-gateway.service")
	waitFor(t, "the gateway to be ready", h.ready)
	return h
}

func TestUnits(t *testing.T) {
	h := install(t)

	t.Run("the service stores what a module sends", func(t *testing.T) {
		name, content := blob()
		for path, body := range map[string][]byte{"/?create=true": nil, "/data/" + name: content} {
			if status := h.post(t, "/"+destination+"/mail/"+mail.UUID+path, body); status != http.StatusOK {
				t.Fatalf("POST %s answers %d", path, status)
			}
		}
		stored := filepath.Join(h.root, store, "mail", mail.UUID, "data", name[:2], name)
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

	t.Run("the service writes nowhere but where it was told", func(t *testing.T) {
		name, content := blob()
		if status := h.post(t, "/"+unwritable+"/mail/"+mail.UUID+"/data/"+name, content); status < 500 {
			t.Errorf("an upload to a path outside ReadWritePaths= answers %d", status)
		}
		if entries, err := os.ReadDir(filepath.Join(h.root, "/srv/elsewhere")); err != nil || len(entries) > 0 {
			t.Errorf("it left %v there (%v)", entries, err)
		}
	})

	t.Run("the journal knows how grave each line is", func(t *testing.T) {
		grave := h.run(t, "journalctl", "--unit=rclone-gateway", "--output=cat", "--priority=err")
		if !strings.Contains(grave, unwritable) {
			t.Errorf("the failed upload is not among\n%s", grave)
		}
		if strings.Contains(grave, "loaded from Redis") {
			t.Errorf("what went well is among\n%s", grave)
		}
	})

	t.Run("the password is in no property of the unit and in no environment", func(t *testing.T) {
		environ, err := os.ReadFile(filepath.Join(h.root, "proc", h.property(t, "MainPID"), "environ"))
		if err != nil {
			t.Fatal(err)
		}
		shown := string(environ) + h.run(t, "systemctl", "show", "rclone-gateway.service")
		if strings.Contains(shown, redistest.Password("node/1")) {
			t.Error("it is")
		}
	})

	t.Run("what it remembers of disks is in its state directory", func(t *testing.T) {
		entries, err := os.ReadDir(filepath.Join(h.root, "/var/lib/rclone-gateway"))
		if err != nil || len(entries) == 0 {
			t.Errorf("%v (%v)", entries, err)
		}
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
		h.run(t, "systemctl", "reload", "rclone-gateway.service")
		waitFor(t, "the journal to tell of the reload", func() bool {
			return strings.Contains(h.run(t, "journalctl", "--unit=rclone-gateway", "--output=cat"), `"reloaded"`)
		})
		if after := h.property(t, "MainPID"); after != before {
			t.Error("the reload was a restart")
		}
	})

	t.Run("a gateway that hangs is replaced", func(t *testing.T) {
		h.write(t, "/etc/systemd/system/rclone-gateway.service.d/watchdog.conf", "[Service]\nWatchdogSec=1\n", 0o644)
		h.run(t, "systemctl", "daemon-reload")
		h.run(t, "systemctl", "restart", "rclone-gateway.service")
		waitFor(t, "the gateway to be ready", h.ready)
		before := h.property(t, "MainPID")
		h.run(t, "kill", "-STOP", before)
		waitFor(t, "another process", func() bool {
			after := h.property(t, "MainPID")
			return after != before && after != "0"
		})
		waitFor(t, "the gateway to be ready", h.ready)
	})

	t.Run("it starts after Redis and is not stopped with it", func(t *testing.T) {
		if after := h.property(t, "After"); !strings.Contains(after, "redis-server.service") {
			t.Errorf("After=%s", after)
		}
		if bound := h.property(t, "Requires") + h.property(t, "BindsTo"); strings.Contains(bound, "redis") {
			t.Errorf("bound to %s", bound)
		}
	})

	t.Run("the sandbox is as tight as the guide says", func(t *testing.T) {
		guide, err := os.ReadFile("../../deploy/systemd/README.md")
		if err != nil {
			t.Fatal(err)
		}
		said := regexp.MustCompile(`exposure level of\s+(\d+\.\d)`).FindSubmatch(guide)
		if said == nil {
			t.Fatal("the guide names no exposure level")
		}
		report := h.run(t, "systemd-analyze", "--no-pager", "security", "rclone-gateway.service")
		if want := fmt.Sprintf("level for rclone-gateway.service: %s ", said[1]); !strings.Contains(report, want) {
			t.Errorf("no %q in\n%s", want, report)
		}
	})

	t.Run("a stop is a success", func(t *testing.T) {
		h.run(t, "systemctl", "stop", "rclone-gateway.socket", "rclone-gateway.service")
		if result := h.property(t, "Result"); result != "success" {
			t.Errorf("Result=%s", result)
		}
	})
}

func (h *host) ready() bool {
	status, err := h.get("/-/ready")
	return err == nil && status == http.StatusOK
}

// get asks over a connection of its own.
func (h *host) get(path string) (status int, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get(h.url + path)
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

func (h *host) post(t *testing.T, path string, body []byte) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	user := "module/" + mail.ID
	req.SetBasicAuth(user, redistest.Password(user))
	req.Header.Set("Accept", "application/vnd.x.restic.rest.v2")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
