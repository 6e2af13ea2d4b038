package client

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/state"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// An application's files lie where they are, and come back to where those of the module
// that is restored into lie.
func TestVolumesThatLieElsewhere(t *testing.T) {
	resticVersions(t, func(t *testing.T, _ string) {
		t.Helper()
		server := cluster(t)
		server.AddDestinations(redistest.Destination{ID: realDestination, Name: "d", Provider: "x", URL: "b2:b"})
		server.AddSchedule(redistest.Schedule{ID: "1", Repository: realDestination, Instances: []string{"mymodule1"}})
		server.Do("SET", "module/mymodule1/mykey", "x")
		gateway := gatewayFor(t)

		old := realModule{"mymodule1", "11111111-1111-4111-8111-111111111111", t.TempDir(), server}
		old.become(t, gateway)
		app, link := filepath.Join(t.TempDir(), "an app"), filepath.Join(t.TempDir(), "link")
		plant(t, filepath.Join(app, "data"))
		mustDo(t, os.Symlink(app, link))
		mustDo(t, state.PlaceNew(old.install(), []state.PlacedVolume{{Name: "data", Source: filepath.Join(link, "data")}}))
		write(t, old.install()+"/etc/state-include.conf", "state/mykey.dump\nvolumes/data", 0o644)
		write(t, old.install()+"/etc/state-exclude.conf", "none", 0o644)
		got := call(t, "", "module-backup", "1").succeed(t)
		if strings.Contains(got.stderr, "include") {
			t.Errorf("told %q", got.stderr)
		}
		if left, err := os.ReadDir(old.volume()); err != nil || len(left) > 0 {
			t.Errorf("below the module's directory there are %v, %v", left, err)
		}

		fresh := realModule{"mymodule2", "22222222-2222-4222-8222-222222222222", t.TempDir(), server}
		fresh.become(t, gateway)
		place := t.TempDir()
		mustDo(t, state.PlaceNew(fresh.install(), []state.PlacedVolume{{Name: "data", Source: place}}))
		request := fmt.Sprintf(`{"repository":%q,"path":"mymodule/%s","snapshot":"","environment":{},"replace":false}`, realDestination, old.uuid)
		for range 2 { // a restore can be repeated
			call(t, request, "restore-module", "--verify").succeed(t)
			server.Do("DEL", "module/mymodule2/mykey")
			sameTree(t, describe(t, place), describe(t, filepath.Join(app, "data")))
		}
		if left, err := os.ReadDir(fresh.volume()); err != nil || len(left) > 0 {
			t.Errorf("below the module's directory there are %v, %v", left, err)
		}
		call(t, "", "restore-module", "--destination", realDestination, "--repopath", "mymodule/"+old.uuid, "--path", "volumes/data/plain", "--target", filepath.Join(fresh.root, "found")).succeed(t)
		if _, err := os.Stat(filepath.Join(fresh.root, "found", "volumes", "data", "plain")); err != nil {
			t.Error(err)
		}

		mustDo(t, os.RemoveAll(place))
		if got := call(t, request, "restore-module"); got.code != int(exit.NotFound) || !strings.Contains(got.stderr, "volume data is not there") {
			t.Errorf("%d: %s", got.code, got.stderr)
		}
	})
}
