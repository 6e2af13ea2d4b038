package compose

import (
	"net"
	"strings"
	"testing"
)

func TestComposeSaysWhatIsWrong(t *testing.T) {
	e := startEngine(t)

	t.Run("a variable without a value, where setup fails long before test is started", func(t *testing.T) {
		p := newProject(t, e, "variable")
		p.env = []string{"S3_BUCKET=", "DOCKER_HOST=" + p.slowly(t, "test", "setup")}
		wantRed(t, p, 2, "S3_BUCKET is empty: give it a value in .env")
	})
	t.Run("a volume that is not writable", func(t *testing.T) {
		p := newProject(t, e, "volume")
		p.overrideWith(t, "services:\n  gateway:\n    volumes: ['repositories:/srv/repo:ro']\n")
		wantRed(t, p, 7, "add destination local: gatewayctl: parameters: no_write_permission: the storage is mounted read-only")
	})
	t.Run("a port in use", func(t *testing.T) {
		p := newProject(t, e, "port")
		var listener net.Listener
		if err := e.inNetwork(func() (err error) {
			listener, err = net.Listen("tcp", "127.0.0.1:4694")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		out := p.want(t, 1, "up", "--detach")
		if !strings.Contains(out, "4694") || !strings.Contains(out, "address already in use") {
			t.Errorf("%s", out)
		}
	})
}

// wantRed runs the test profile, which must end with the status, and say why last.
func wantRed(t *testing.T, p *project, code int, why string) {
	t.Helper()
	out := p.want(t, code, testProfile...)
	if last := lastSaid(out, "test"); !strings.HasPrefix(last, "test: FAILED: ") || !strings.Contains(last, why) {
		t.Errorf("test said last: %s\nwant: %s\n%s", last, why, out)
	}
	// Where setup failed, either may come last: their outputs are read side by side.
	if last := lastFailure(out); !strings.Contains(last, why) {
		t.Errorf("the last failure is: %s\nwant: %s\n%s", last, why, out)
	}
}
