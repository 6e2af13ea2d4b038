package backend

import (
	"strings"
	"sync"
	"testing"

	"github.com/rclone/rclone/fs/config/obscure"
)

// TestObscureBySeveralAtOnce is for the race detector, and begins before the tests that
// run side by side: rclone makes its cipher at the first use, without a lock.
func TestObscureBySeveralAtOnce(t *testing.T) { //nolint:paralleltest // see above
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := Obscure("smb", map[string]string{"pass": "Nethesis,1234"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestObscureOnlyPasswords(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"Nethesis,1234", `100%(key)s % "quoted" 'too' = # ; \ `, "pässwörd 日本", strings.Repeat("long", 1024),
	} {
		out, err := Obscure("smb", map[string]string{"host": "10.0.0.1", "user": "me", "pass": secret})
		if err != nil {
			t.Fatal(err)
		}
		if out["host"] != "10.0.0.1" || out["user"] != "me" || strings.Contains(out["pass"], secret) {
			t.Errorf("obscured %q", out)
		}
		if plain, err := obscure.Reveal(out["pass"]); err != nil || plain != secret {
			t.Errorf("revealed %q, %v", plain, err)
		}
	}
	out, err := Obscure("s3", map[string]string{"secret_access_key": "key", "unheard": "of", "empty": ""})
	if err != nil || out["secret_access_key"] != "key" || out["unheard"] != "of" || out["empty"] != "" {
		t.Errorf("obscured %q, %v", out, err)
	}
	if _, err := Obscure("floppy", nil); err == nil {
		t.Error("obscured for a remote that does not exist")
	}
}
