package restore

import (
	"maps"
	"testing"
)

func TestSavedEnvironmentIsTakenLiterally(t *testing.T) {
	t.Parallel()
	got := parseSavedEnvironment("# X=1\n\nA= b = c \nQUOTED=\"q\"\nno assignment\nEMPTY=\r\nA=again\n=nameless\n")
	want := map[string]string{"A": "again", "QUOTED": `"q"`, "EMPTY": "", "": "nameless"}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
