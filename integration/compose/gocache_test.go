package compose

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBuildsShareTheMachinesCache has one build put something in the cache, and another
// one, with nothing of its own, get it.
func TestBuildsShareTheMachinesCache(t *testing.T) {
	t.Parallel()
	shared := t.TempDir()
	for _, dir := range []string{"01", "02"} {
		if err := os.Mkdir(filepath.Join(shared, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(buildCache(shared))
	t.Cleanup(server.Close)
	program := filepath.Join(t.TempDir(), "gocache")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./gocache").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ask := func(requests ...string) []string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, server.URL, t.TempDir())
		cmd.Stdin = strings.NewReader(strings.Join(requests, "\n"))
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(out)), "\n")
	}
	id := func(first byte) string {
		return base64.StdEncoding.EncodeToString(append([]byte{first}, make([]byte, 31)...))
	}
	get := fmt.Sprintf(`{"ID": 1, "Command": "get", "ActionID": %q}`, id(1))
	if said := ask(get); !strings.Contains(said[1], `"Miss":true`) {
		t.Errorf("an empty cache answers %s", said[1])
	}
	put := fmt.Sprintf(`{"ID": 1, "Command": "put", "ActionID": %q, "OutputID": %q, "BodySize": 8}`, id(1), id(2))
	ask(put, `"`+base64.StdEncoding.EncodeToString([]byte("compiled"))+`"`, `{"ID": 2, "Command": "close"}`)
	// The file that it names goes with its process's directory, so the shared one is read.
	var found struct {
		Miss bool
		Size int
	}
	said := ask(get)
	if err := json.Unmarshal([]byte(said[1]), &found); err != nil || found.Miss || found.Size != len("compiled") {
		t.Errorf("another build is answered %s (%v)", said[1], err)
	}
	output := filepath.Join(shared, "02", "02"+strings.Repeat("0", 62)+"-d")
	if text, err := os.ReadFile(output); err != nil || string(text) != "compiled" {
		t.Errorf("%s holds %q, %v", output, text, err)
	}
}
