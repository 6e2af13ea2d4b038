package client

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// TestModuleStepsGetTheSavedEnvironment restores a module whose steps want their
// settings from the request, as those of NS8's mail, samba and openldap do.
func TestModuleStepsGetTheSavedEnvironment(t *testing.T) {
	resticVersions(t, func(t *testing.T, version string) {
		t.Helper()
		server := cluster(t)
		server.AddDestinations(redistest.Destination{ID: realDestination, Name: "d", Provider: "x", URL: "b2:b"})
		server.AddSchedule(redistest.Schedule{ID: "1", Repository: realDestination, Instances: []string{"mymodule1"}})
		server.Do("RPUSH", "module/mymodule1/mykey", "a", "b")
		gateway := gatewayFor(t)
		old := realModule{"mymodule1", "11111111-1111-4111-8111-111111111111", t.TempDir(), server}
		old.become(t, gateway)
		write(t, filepath.Join(old.state(), "environment"), "MODULE_ID=mymodule1\nHOST_NAME=mail.example.org\nFILTER=(a = \"b c\")\n", 0o600)
		call(t, "", "module-backup", "1").succeed(t)

		fresh := realModule{"mymodule2", "22222222-2222-4222-8222-222222222222", t.TempDir(), server}
		fresh.become(t, gateway)
		write(t, fresh.step("06copyenv"), `#!/bin/bash
set -e -o pipefail
jq -r '.environment | "\(.HOST_NAME) \(.FILTER) \(has("ABSENT"))"' > copied
echo "$MODULE_ID" >> copied
`, 0o755)
		write(t, fresh.step("30after"), "#!/bin/bash\n[ -s copied ] && redis-dump module/$MODULE_ID/mykey > loaded\n", 0o755)
		call(t, "", "restore-module", "--destination", realDestination, "--repopath", "mymodule/"+old.uuid).succeed(t)
		if data, err := os.ReadFile(filepath.Join(fresh.state(), "copied")); string(data) != "mail.example.org (a = \"b c\") false\nmymodule2\n" {
			t.Errorf("restic %s: the step saw %q, %v", version, data, err)
		}
		if data, err := os.ReadFile(filepath.Join(fresh.state(), "loaded")); len(data) == 0 {
			t.Errorf("the steps did not load the key: %v", err)
		}
		if data, _ := os.ReadFile(filepath.Join(fresh.state(), "environment")); string(data) != "MODULE_ID=mymodule2\n" {
			t.Errorf("the module's own environment became %q", data)
		}

		// A snapshot of volumes alone has none.
		write(t, filepath.Join(fresh.volume(), "file"), "x", 0o644)
		t.Setenv("RESTIC_REPOSITORY", "rest:"+strings.Replace(gateway, "://", "://module%2Fmymodule1:"+redistest.Password("module/mymodule1")+"@", 1)+"/"+realDestination+"/mymodule/"+old.uuid)
		t.Setenv("RESTIC_PASSWORD", redistest.Password(realDestination))
		runIn(t, fresh.root, "restic", "backup", "volumes/data")
		call(t, "", "restore-module", "--destination", realDestination, "--repopath", "mymodule/"+old.uuid).
			fail(t, exit.NotFound, "does not hold state/environment")
		call(t, "", "restore-module", "--destination", realDestination, "--repopath", "mymodule/"+old.uuid, "--step", "10restore").succeed(t)
	})
}
