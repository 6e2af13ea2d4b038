package docgen

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestExitCodesGoOnInDeeperLines(t *testing.T) {
	t.Parallel()
	got := parseExitStatus("  0     success\n  128+  128 plus the\n        signal\n")
	want := []exitCode{{"0", "success"}, {"128+", "128 plus the signal"}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestIndentedParagraphsStandAsTheyAre(t *testing.T) {
	t.Parallel()
	got := blocks("One,\ntwo:\n\n  a  b\n    c\n\nThree.")
	want := []block{{false, "One,\ntwo:"}, {true, "a  b\n  c"}, {false, "Three."}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestNothingInTheTextIsARequestOfRoff(t *testing.T) {
	t.Parallel()
	if got, want := roff(".SH x\n'y \\n --z"), "\\&.SH x\n\\&'y \\en \\-\\-z"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestHiddenCommandsHaveNoPage(t *testing.T) {
	t.Parallel()
	root := &cobra.Command{Use: "top", Short: "Do it"}
	run := func(*cobra.Command, []string) {}
	root.AddCommand(&cobra.Command{Use: "shown A|B", Short: "Show", Run: run}, &cobra.Command{Use: "secret", Hidden: true, Run: run})
	got := Markdown(root)
	if !strings.Contains(got, "## top shown\n") || strings.Contains(got, "secret") {
		t.Errorf("the page is\n%s", got)
	}
}
