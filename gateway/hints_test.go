package gateway

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestEveryFailureInTheLogSaysWhatToDo reads the code: each line at the levels
// warn and error has a hint, as has that of a request.
func TestEveryFailureInTheLogSaysWhatToDo(t *testing.T) {
	t.Parallel()
	failures := 0
	for _, line := range loggedLines(t, ".", filepath.Join("..", "cmd", "rclone-gateway")) {
		if line.level == "debug" || line.level == "info" {
			continue
		}
		failures++
		if !slices.Contains(line.keys, "hint") {
			t.Errorf("no hint: %s: %s", line.level, line.message)
		}
	}
	if failures < 20 {
		t.Errorf("%d lines were found", failures)
	}
}
