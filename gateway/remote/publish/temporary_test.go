package publish

import (
	"strings"
	"testing"
	"time"
)

// TestTemporaryNames checks which names are hidden, and which are those of uploads
// that may count as cut off.
func TestTemporaryNames(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range []struct {
		name          string
		base          string
		hidden, older bool
	}{
		{"an upload that begins", temporaryName(partialSuffix), true, false},
		{"an upload of long ago", "upload-20200102T030405Z-ABC.partial", true, true},
		{"an object moved aside long ago", "upload-20200102T030405Z-ABC.replaced", true, false},
		{"an upload of no known time", "upload-ABC.partial", true, false},
		{"an upload whose time is none", "upload-yesterday-ABC.partial", true, false},
		{"an object", strings.Repeat("0", 64), false, false},
		{"what only begins so", "upload-20200102T030405Z-ABC", false, false},
		{"what only ends so", "20200102T030405Z-ABC.partial", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := IsTemporary(tt.base); got != tt.hidden {
				t.Errorf("isTemporary(%q) = %t", tt.base, got)
			}
			if got := startedBefore(tt.base, now.Add(-time.Minute)); got != tt.older {
				t.Errorf("startedBefore(%q, a minute ago) = %t", tt.base, got)
			}
		})
	}
	if name := temporaryName(partialSuffix); !startedBefore(name, now.Add(time.Minute)) {
		t.Errorf("%s did not begin before the next minute", name)
	}
}
