package resticpassword

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// TestThePasswordOfARepository is tried on what a real restic makes.
func TestThePasswordOfARepository(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("restic")
	if found, _ := filepath.Glob("../../.cache/restic/*/restic"); err != nil && len(found) > 0 {
		program, err = found[0], nil
	}
	if err != nil {
		testenv.Missing(t, "no restic: install it, or run make deps")
	}
	repository := t.TempDir()
	cmd := exec.CommandContext(t.Context(), program, "init", "--no-cache", "--repo", repository)
	cmd.Env = append(os.Environ(), "RESTIC_PASSWORD=the right one")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	keys, err := filepath.Glob(filepath.Join(repository, "keys", "*"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("%v, %v", keys, err)
	}
	key, err := os.ReadFile(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"the right one": true, "the wrong one": false, "": false} {
		if got, err := Opens(key, password); got != want || err != nil {
			t.Errorf("%q opens it: %t, %v", password, got, err)
		}
	}
}

func TestKeyFilesOfOthersAreNotBelieved(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"", "[]", "{}", `{"kdf":"argon2"}`,
		`{"kdf":"scrypt","N":1073741824,"r":8,"p":1,"salt":"AAAA","data":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		`{"kdf":"scrypt","N":0,"r":0,"p":0,"salt":"AAAA","data":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
	} {
		if opens, err := Opens([]byte(key), "x"); opens || err == nil {
			t.Errorf("%.40s is taken: %t", key, opens)
		}
	}
}
