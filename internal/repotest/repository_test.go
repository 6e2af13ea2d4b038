package repotest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

const password = "of-the-repository"

// TestResticTakesItForItsOwn saves to such a repository and checks it.
func TestResticTakesItForItsOwn(t *testing.T) {
	for _, restic := range []string{"0.14", "0.18"} {
		for _, version := range []int{1, 2} {
			t.Run(fmt.Sprint("restic ", restic, " version ", version), func(t *testing.T) {
				t.Parallel()
				program, err := filepath.Abs("../../.cache/restic/" + restic + "/restic")
				if err == nil {
					_, err = os.Stat(program)
				}
				if err != nil {
					testenv.Missing(t, "%v: run make deps", err)
				}
				dir := filepath.Join(t.TempDir(), "repository")
				New(t, version, password).Save(t, dir)
				restic := func(args ...string) []byte {
					cmd := exec.CommandContext(t.Context(), program, args...)
					cmd.Env = append(os.Environ(), "RESTIC_REPOSITORY="+dir, "RESTIC_PASSWORD="+password, "RESTIC_CACHE_DIR="+t.TempDir())
					cmd.Stderr = t.Output()
					out, err := cmd.Output()
					if err != nil {
						t.Fatalf("restic %q: %v", args, err)
					}
					return out
				}
				restic("backup", "--quiet", ".")
				restic("check", "--quiet", "--read-data")
				var config struct{ Version int }
				if err := json.Unmarshal(restic("cat", "config"), &config); err != nil || config.Version != version {
					t.Errorf("the version is %d, %v", config.Version, err)
				}
			})
		}
	}
}
