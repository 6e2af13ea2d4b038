package envfile

import (
	"maps"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	got := Parse([]byte("A=1\r\n# B=2\n\nC=\"two words\"\n D = 'x=y' \nnothing\nE=\"\nF=a\"b\nLAST=end"))
	want := map[string]string{"A": "1", "C": "two words", "D": "x=y", "E": `"`, "F": `a"b`, "LAST": "end"}
	if !maps.Equal(got, want) {
		t.Errorf("Parse\n got %q\nwant %q", got, want)
	}
}
