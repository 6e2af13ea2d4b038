// Package wording holds what the project's texts may not say, as a test: phrases that
// readers of plain English stumble over, and what to write instead.
package wording

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A phrase is a regular expression for what is not to be written.
type phrase struct{ avoid, write string }

var phrases = []phrase{
	{`tells whether`, `"reports whether"`},
	{`(?:that|which|what|it|one|who) (?:is|are|was|were) none`, `"is not one", or the word itself: "an invalid duration"`},
	{`(?:is|are|was|were) none of (?:a|an|its|our|the)`, `"is not"`},
	{`(?:works?|lets?|is|are|was|were|be|does|has|have|needs?|exists?|can|may|in) no more(?:[.,;:)]|$| (?:and|as|at|because|by|for|from|in|of|on|or|so|than before|there|to|when|where|with))`, `"no longer"`},
	{`belongs? into`, `"belongs in", or "set it in"`},
	{`the former`, `the name of what is meant`},
	{`anew`, `"again"`},
	{`in vain`, `"without success"`},
	{`be it`, `"whether"`},
	{`made good`, `"recovered", or "fixed"`},
	{`(?:puts?|putting) off`, `"throttles", or "postpones"`},
	{`in the (?:place|stead) of`, `"instead of"`},
	{`(?:is|are) left alone`, `"is not tried", or "circuit open"`},
	{`now and then`, `"periodically"`},
	{`tells? of`, `"reports"`},
	{`knows? nothing of`, `"does not know"`},
	{`stands? on`, `"depends on"`},
	{`as yet`, `"yet"`},
	{`of late`, `"recently"`},
	{`whereof|thereof|wherein|therein|hitherto`, `"of which", "of it"`},
}

// texts are what is read as a whole; directories are not ours, or hold the words of
// others.
var (
	texts   = []string{".conf", ".go", ".md", ".sh", ".service", ".txtar", ".yaml", ".yml"}
	skipped = []string{".cache", ".git", "bin", "dist", "internal/wording", "node_modules"}
)

// expression has a group for each phrase.
func expression() *regexp.Regexp {
	all := make([]string, len(phrases))
	for i, p := range phrases {
		all[i] = "(" + p.avoid + ")"
	}
	return regexp.MustCompile(`(?i)\b(?:` + strings.Join(all, "|") + `)(?:\W|$)`)
}

func TestWording(t *testing.T) {
	t.Parallel()
	avoid := expression()
	root, read := os.DirFS(filepath.Join("..", "..")), 0
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (slices.Contains(skipped, name) || slices.Contains(skipped, entry.Name())):
			return fs.SkipDir
		case entry.IsDir() || !isText(name) || slices.Contains(skipped, name):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		read++
		for _, found := range find(avoid, string(text)) {
			t.Errorf("%s:%d: %q: write %s", name, found.line, found.words, phrases[found.phrase].write)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 100 {
		t.Errorf("only %d files were read", read)
	}
}

// A finding is a phrase that a text has.
type finding struct {
	line   int
	words  string
	phrase int
}

// find finds phrases, also those that a line break divides.
func find(avoid *regexp.Regexp, text string) []finding {
	var joined strings.Builder
	var starts []int // of the lines, in joined
	for line := range strings.Lines(text) {
		starts = append(starts, joined.Len())
		joined.WriteString(strings.TrimSpace(strings.TrimLeft(line, "/#*> \t")) + " ")
	}
	var all []finding
	for _, at := range avoid.FindAllStringSubmatchIndex(joined.String(), -1) {
		line, _ := slices.BinarySearch(starts, at[0]+1)
		for i := range phrases {
			if at[2+2*i] >= 0 {
				all = append(all, finding{line, joined.String()[at[2+2*i]:at[3+2*i]], i})
			}
		}
	}
	return all
}

func TestFindSeesOverLineBreaks(t *testing.T) {
	t.Parallel()
	text := "// It tells\n// whether the\n// line is found.\nNo more than that, which works\nno more.\n"
	got := find(expression(), text)
	want := []finding{{1, "tells whether", 0}, {4, "works no more.", 3}}
	if !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// isText reports whether a file is written by us for people.
func isText(name string) bool {
	return slices.Contains(texts, filepath.Ext(name)) || strings.HasPrefix(name, "scripts/") || name == "Makefile"
}
