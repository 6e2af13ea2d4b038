package docpage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseFindsBlocksAndWhatIsSaidOfThem(t *testing.T) {
	t.Parallel()
	p, err := parse("page.md", strings.ReplaceAll(`# Title
<!-- page: s3 -->

'''sh
one
two
'''

'''text
said …
'''

<!-- run: background until true -->
'''sh
three
'''

<!-- run: background instead until false -->
'''sh
other
'''

<!-- run: by integration/compose -->
   '''sh
   four
   '''
`, "'''", "```"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Block{
		{Line: 5, Code: "one\ntwo", Output: []string{"said …"}},
		{Line: 15, Code: "three", Background: "true"},
		{Line: 20, Code: "other", Background: "false", Instead: true},
		{Line: 25, Code: "four", By: "integration/compose"},
	}
	if got := fmt.Sprintf("%+v", p.Blocks); got != fmt.Sprintf("%+v", want) {
		t.Errorf("blocks are\n%s, want\n%+v", got, want)
	}
	if !slices.Equal(p.Surroundings, []string{"s3"}) {
		t.Errorf("surroundings are %q", p.Surroundings)
	}
}

func TestParseRefusesWhatItWouldMisread(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a language of no meaning":  "'''bash\nls\n'''\n",
		"a fence without its end":   "'''sh\nls\n",
		"an unknown way to run":     "<!-- run: maybe -->\n'''sh\nls\n'''\n",
		"a command not to run":      "<!-- run: not, it takes long -->\n'''sh\nls\n'''\n",
		"a comment without a block": "<!-- run: fails -->\nText.\n",
		"indented code":             "Text:\n\n    ls\n",
		"a comment of output":       "<!-- run: fails -->\n'''text\nls\n'''\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if p, err := parse("page.md", strings.ReplaceAll(text, "'''", "```")); err == nil {
				t.Errorf("it was read as %+v", p)
			}
		})
	}
}

func TestParseLeavesAPageToOthers(t *testing.T) {
	t.Parallel()
	p, err := parse("page.md", "<!-- page: by integration/systemd -->\n```sh\nls\n```\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.LeftTo("integration/systemd"); len(got) != 1 || got[0].Code != "ls" {
		t.Errorf("left to integration/systemd: %+v", got)
	}
	if got := p.LeftTo(""); len(got) != 0 {
		t.Errorf("not left to others: %+v", got)
	}
}

func TestBeforeAnotherPageLeavesOutWhatRunsOnce(t *testing.T) {
	t.Parallel()
	p, err := parse("page.md", strings.ReplaceAll("<!-- run: once -->\n'''sh\none\n'''\n\n'''sh\ntwo\n'''\n", "'''", "```"))
	if err != nil {
		t.Fatal(err)
	}
	if before := p.Before().Blocks; len(p.Blocks) != 2 || len(before) != 1 || before[0].Code != "two" {
		t.Errorf("of %+v there is %+v before another page", p.Blocks, before)
	}
}

func TestWhereNumbersVaryWordsDoNot(t *testing.T) {
	t.Parallel()
	shown := []string{"snapshot 063a19b1: 11481 files, 121.7 MiB read, 10.55s", "…", "a delete   403 Forbidden", "Done in 47.3 s."}
	for printed, want := range map[string]bool{
		"snapshot 7bac9750: 418 files, 3.7 KiB read, 860ms\nmore\na delete  403 Forbidden\nDone in 1m2s.\n": true,
		"snapshot 7bac9750: 418 files, 3.7 KiB read, 860ms\na delete  200 OK\nDone in 8.4 s.\n":             false,
		"snapshot 7bac9750: 418 files, 3.7 KiB lost, 860ms\na delete  403 Forbidden\nDone in 8.4 s.\n":      false,
		"snapshot : 418 files, 3.7 KiB read, 860ms\na delete  403 Forbidden\nDone in 8.4 s.\n":              false,
		"snapshot 7bac9750: 418 files, 3.7 KiB read, 860ms\na delete  403 Forbidden\nNot done in 8.4 s.\n":  false,
	} {
		if err := (Block{Varies: true, Output: shown}).unlike(printed); (err == nil) != want {
			t.Errorf("%q: %v", printed, err)
		}
	}
	if err := (Block{Output: shown}).unlike(strings.Join(slices.DeleteFunc(slices.Clone(shown), func(l string) bool { return l == "…" }), "\n")); err != nil {
		t.Error(err)
	}
}
