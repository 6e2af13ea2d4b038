package compose

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// megabyte is the unit of the sizes that people see.
const megabyte = 1000 * 1000

// image is what the engine knows of one.
type image struct {
	Size         int
	Architecture string
	Config       struct {
		User        string
		Entrypoint  []string
		Healthcheck *struct{ Test []string }
		Labels      map[string]string
		Env         []string
	}
	RootFS struct{ Layers []string }
}

func (e *engine) image(t *testing.T, name string) image {
	t.Helper()
	var images []image
	if err := json.Unmarshal([]byte(e.must(t, "image", "inspect", name)), &images); err != nil || len(images) != 1 {
		t.Fatalf("inspect %s: %d images, %v", name, len(images), err)
	}
	return images[0]
}

// What the client's image gets from the originals has another size than what the
// tests have in their stead, in MB: restic 0.18.1 built with the flags of its releases
// (Debian leaves Azure out), and busybox with its library.
const (
	originalRestic  = 31.2
	originalBusybox = 1.6
)

func TestImages(t *testing.T) {
	e := startEngine(t)
	t.Run("they run as an ordinary user, and say what they are", func(t *testing.T) {
		for _, name := range []string{"rclone-gateway", "rclone-gateway-client"} {
			i := e.image(t, name)
			if i.Config.User != "65532:65532" {
				t.Errorf("%s runs as %q", name, i.Config.User)
			}
			for _, label := range []string{"title", "description", "source", "licenses", "version"} {
				if i.Config.Labels["org.opencontainers.image."+label] == "" {
					t.Errorf("%s has no label %s", name, label)
				}
			}
		}
	})
	t.Run("the gateway's is the binary with what it needs, and checks its own health", func(t *testing.T) {
		i := e.image(t, "rclone-gateway")
		if i.Config.Healthcheck == nil || !slices.Equal(i.Config.Healthcheck.Test, []string{"CMD", "/usr/bin/rclone-gateway", "health"}) {
			t.Errorf("health check: %+v", i.Config.Healthcheck)
		}
		out := e.must(t, "run", "--rm", "--read-only", "--cap-drop=ALL", "--network=none", "rclone-gateway", "version")
		if !strings.Contains(out, "rclone-gateway") {
			t.Errorf("version says %q", out)
		}
	})
	t.Run("called rclone, the gateway is rclone", func(t *testing.T) {
		out := e.must(t, "run", "--rm", "--read-only", "--cap-drop=ALL", "--network=none", "--entrypoint=rclone", "rclone-gateway", "lsf", "/")
		if !strings.Contains(out, "usr/") {
			t.Errorf("lsf / says %q", out)
		}
	})
	t.Run("the client's has a shell, restic, and a command of each name", func(t *testing.T) {
		out := e.must(t, "run", "--rm", "--read-only", "--cap-drop=ALL", "--network=none", "rclone-gateway-client", "/bin/sh", "-c",
			"restic version && module-backup --help && redis-dump --help && gatewayctl version")
		for _, want := range []string{"restic 0.18", "module-backup", "redis-dump"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in %q", want, out)
			}
		}
	})
	t.Run("the same sources make the same layers, whatever was built before", func(t *testing.T) {
		first := e.image(t, "rclone-gateway-client").RootFS.Layers
		e.must(t, e.buildArgs("again", "client", "--no-cache")...)
		if again := e.image(t, "again").RootFS.Layers; !slices.Equal(first, again) {
			t.Errorf("layers\n%v\n%v", first, again)
		}
	})
	t.Run("an unknown set of backends is refused", func(t *testing.T) {
		_, err := e.docker(buildTime, "build", "--build-arg=BACKENDS=some", "--build-arg=GOPROXY="+goproxy, e.root)
		if err == nil || !strings.Contains(err.Error(), `BACKENDS is "some": it must be all or curated`) {
			t.Errorf("%v", err)
		}
	})
	t.Run("they are as small as they should be", func(t *testing.T) {
		p := &project{engine: e, name: "images", dir: e.root}
		p.runBlock(t, readGuide(t).images)
		wantSmall(t, "the gateway with all backends", e.megabytes(t, "rclone-gateway"), 92)
		client := e.megabytes(t, "rclone-gateway-client")
		wantSmall(t, "the client", client, 45)
		restic, err := os.Stat(e.program("RESTIC_0_18", ".cache/restic/0.18/restic"))
		if err != nil {
			t.Fatal(err)
		}
		ours := client - float64(restic.Size())/megabyte - e.megabytes(t, "busybox:1.37-musl")
		wantSmall(t, "the client with restic's own restic", ours+originalRestic+originalBusybox, 49)
	})
}

// megabytes is the size of an image.
func (e *engine) megabytes(t *testing.T, name string) float64 {
	t.Helper()
	return float64(e.image(t, name).Size) / megabyte
}

// wantSmall wants a size below a limit, both in MB.
func wantSmall(t *testing.T, what string, size, limit float64) {
	t.Helper()
	t.Logf("%s: %.1f MB", what, size)
	if size >= limit {
		t.Errorf("%s: %.1f MB, want less than %.0f", what, size, limit)
	}
}
