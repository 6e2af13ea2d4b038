package compose

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// TestComposeSaysWhatIsWrong has a Redis that refuses and one that lacks something; what
// gatewayctl says of others is a test of package client.
func TestComposeSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	e := startEngine(t)

	t.Run("a variable without a value, where setup fails long before test is started", func(t *testing.T) {
		t.Parallel()
		p := newProject(t, e, "variable")
		p.env = []string{"S3_BUCKET=", "DOCKER_HOST=" + p.slowly(t, "test", "setup")}
		wantRed(t, p, 2, "S3_BUCKET is empty: give it a value in .env")
	})
	t.Run("a volume that is not writable", func(t *testing.T) {
		t.Parallel()
		p := newProject(t, e, "volume")
		p.overrideWith(t, "services:\n  gateway:\n    volumes: ['repositories:/srv/repo:ro']\n")
		wantRed(t, p, 7, "add destination local: gatewayctl: the storage is mounted read-only")
	})
	t.Run("a Redis whose volume is read-only", func(t *testing.T) {
		t.Parallel()
		p := newProject(t, e, "readonly")
		p.overrideWith(t, "services:\n  redis:\n    volumes: ['redis:/data:ro']\n")
		if out := p.want(t, 1, testProfile...); !strings.Contains(out, "is unhealthy") {
			t.Errorf("no container is called unhealthy:\n%s", out)
		}
		out := p.want(t, 0, "logs", "redis")
		if last := lastFailure(out); !strings.Contains(last, "redis: FAILED: the volume at /data is not writable") {
			t.Errorf("the log of redis:\n%s", out)
		}
	})
	t.Run("a Redis that needs a password nobody told us", func(t *testing.T) {
		t.Parallel()
		p := newProject(t, e, "password")
		p.overrideWith(t, `services:
  redis:
    entrypoint: [/bin/sh, -c, "echo x >/run/admin/password; echo x >/run/node/password; exec redis-server --requirepass unknown --dir /data"]
`)
		p.env = []string{"WAIT=1"}
		wantRed(t, p, 8, `Redis does not take the administrator: waited 1 s: gatewayctl: redis at redis:6379 refuses user "admin": wrong password`)
	})
	t.Run("a Redis without ACLs", func(t *testing.T) {
		t.Parallel()
		p := newProject(t, e, "noacls")
		p.overrideWith(t, redisWith(`--rename-command ACL ""`))
		p.env = []string{"WAIT=1"}
		wantRed(t, p, 8, "redis at redis:6379 has no users: Redis 6 or later is needed, with its command ACL")
	})
	t.Run("a module's directory that is not there, where there is nothing to back up", func(t *testing.T) {
		t.Parallel()
		p := newProject(t, e, "module")
		p.env = []string{"MODULE_DIR=" + filepath.Join(worldReadable(t), "nowhere")}
		wantRed(t, p, 2, "there is no etc/state-include.conf in MODULE_DIR")
	})
	t.Run("a port in use", func(t *testing.T) {
		t.Parallel()
		p := newProject(t, e, "port")
		port := strings.TrimPrefix(p.own[0], "GATEWAY_PORT=")
		var listener net.Listener
		if err := e.inNetwork(func() (err error) {
			listener, err = net.Listen("tcp", "127.0.0.1:"+port)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		out := p.want(t, 1, "up", "--detach")
		if !strings.Contains(out, port) || !strings.Contains(out, "address already in use") {
			t.Errorf("%s", out)
		}
	})
}

// redisWith starts Redis with an option, and with an administrator whom setup knows.
func redisWith(option string) string {
	return `services:
  redis:
    entrypoint:
      - /bin/sh
      - -c
      - echo known-to-setup >/run/admin/password; echo known-to-setup >/run/node/password;
        exec redis-server --dir /data --protected-mode no --user admin on '>known-to-setup' '~*' '&*' +@all ` + option + "\n"
}

// wantRed runs the test profile, which must end with the status, and say why last.
func wantRed(t *testing.T, p *project, code int, why string) {
	t.Helper()
	out := p.want(t, code, testProfile...)
	// Where setup failed, its word may come last of all: the outputs are read side by
	// side.
	last, ofAll := lastSaid(out, "test"), lastFailure(out)
	if !strings.HasPrefix(last, "test: FAILED: ") {
		t.Errorf("test said last: %s\n%s", last, out)
	}
	if !strings.Contains(last, why) || !strings.Contains(ofAll, why) {
		t.Errorf("test said last: %s\nlast of all: %s\nwant: %s\n%s", last, ofAll, why, out)
	}
}
