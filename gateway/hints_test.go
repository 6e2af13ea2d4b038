package gateway

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
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

func TestHintForAClientThatLeft(t *testing.T) {
	t.Parallel()
	if got := hint(refusal.StatusClientGone, refusal.ErrWrongPassword); !strings.Contains(got, "the client left") {
		t.Errorf("of a client that left: %q", got)
	}
}
