package client

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

func TestRestoreModuleTellsTheAgentWhatIsWrong(t *testing.T) {
	vars := map[string]string{"AGENT_STATE_DIR": t.TempDir(), "AGENT_COMFD": "2"}
	got := callApplet(t, vars, `{"path":7,"other":1}`, "restore-module")
	if got.code != int(exit.Invalid) || !strings.HasPrefix(got.stderr, "set-status validation-failed\r\n") {
		t.Errorf("exit status %d: %q", got.code, got.stderr)
	}
	var fields []map[string]any
	if err := json.Unmarshal([]byte(got.stdout), &fields); err != nil || len(fields) != 3 {
		t.Fatalf("stdout %q: %v", got.stdout, err)
	}
	for i, want := range []string{"repository", "path", "other"} {
		if fields[i]["parameter"] != want || len(fields[i]) != 4 {
			t.Errorf("error %d is %v, want one about %q", i, fields[i], want)
		}
	}
}
