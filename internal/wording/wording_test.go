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

// A phrase is a regular expression for what is not to be written. Only texts with the
// word are looked at, which takes a fraction of the time.
type phrase struct{ word, avoid, write string }

var phrases = []phrase{
	{"tells whether", `tells whether`, `"reports whether"`},
	{" none", `(?:that|which|what|it|one|who) (?:is|are|was|were) none`, `"is not one", or the word itself: "an invalid duration"`},
	{"none of", `(?:is|are|was|were) none of (?:a|an|its|our|the)`, `"is not"`},
	{"no more", `(?:works?|lets?|is|are|was|were|be|does|has|have|needs?|exists?|can|may|in) no more(?:[.,;:)]|$| (?:and|as|at|because|by|for|from|in|of|on|or|so|than before|there|to|when|where|with))`, `"no longer"`},
	{"belong", `belongs? into`, `"belongs in", or "set it in"`},
	{"the former", `the former`, `the name of what is meant`},
	{"anew", `anew`, `"again"`},
	{"in vain", `in vain`, `"without success"`},
	{"be it", `be it`, `"whether"`},
	{"made good", `made good`, `"recovered", or "fixed"`},
	{" off", `(?:puts?|putting) off`, `"throttles", or "postpones"`},
	{"in the place of", `in the place of`, `"instead of"`},
	{"left alone", `(?:is|are) left alone`, `"is not tried", or "circuit open"`},
	{"now and then", `now and then`, `"periodically"`},
	{"tell", `tells? of`, `"reports"`},
	{"nothing of", `knows? nothing of`, `"does not know"`},
	{"stand", `stands? on`, `"depends on"`},
	{"as yet", `as yet`, `"yet"`},
	{"of late", `of late`, `"recently"`},
	{"tell", `tells? (?:why|more|if)`, `"says", or "reports whether"`},
	{" still", `(?:stands?|stood) still`, `"stalls"`},
	{"sees to it", `sees to it`, `"makes sure"`},
	{"lest", `lest`, `"so that … not"`},
	{"shall", `shall`, `"must", "should" or "is to"`},
	{"upon", `(?:built|based|depends?) upon`, `"on"`},
	{"in passing", `(?:fails?|failing|failed) in passing`, `"temporarily"`},
	{"all the same", `all the same`, `"anyway"`},
	{"those apart", `those apart`, `"except"`},
	{"bar ", `bar (?:a|an|what|its)`, `"except"`},
	{"let in", `(?:is|are|not|nobody to) let in`, `"accepted"`},
	{"told from", `(?:is|are) told from`, `"is distinguished from"`},
	{"came to be", `came to be`, `"was created"`},
	{"ereof", `whereof|thereof|hereof`, `"of which", "of it"`},
}

// texts are what is read as a whole; directories are not ours, or hold the words of
// others.
var (
	texts   = []string{".conf", ".go", ".md", ".sh", ".service", ".txtar", ".yaml", ".yml"}
	skipped = []string{".cache", ".git", "bin", "dist", "internal/wording", "node_modules"}
)

// expressions are those of the phrases, for texts in lower case.
func expressions() []*regexp.Regexp {
	all := make([]*regexp.Regexp, len(phrases))
	for i, p := range phrases {
		all[i] = regexp.MustCompile(`\b(` + p.avoid + `)(?:\W|$)`)
	}
	return all
}

func TestWording(t *testing.T) {
	t.Parallel()
	avoid := expressions()
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
func find(avoid []*regexp.Regexp, text string) []finding {
	var b strings.Builder
	var starts []int // of the lines, in b
	for line := range strings.Lines(strings.ToLower(text)) {
		starts = append(starts, b.Len())
		b.WriteString(strings.TrimSpace(strings.TrimLeft(line, "/#*> \t")) + " ")
	}
	joined := b.String()
	var all []finding
	for i, p := range phrases {
		if !strings.Contains(joined, p.word) {
			continue
		}
		for _, at := range avoid[i].FindAllStringSubmatchIndex(joined, -1) {
			line, _ := slices.BinarySearch(starts, at[0]+1)
			all = append(all, finding{line, joined[at[2]:at[3]], i})
		}
	}
	return all
}

func TestFindSeesOverLineBreaks(t *testing.T) {
	t.Parallel()
	text := "// It tells\n// whether the\n// line is found.\nNo more than that, which works\nno more.\n"
	got := find(expressions(), text)
	want := []finding{{1, "tells whether", 0}, {4, "works no more.", 3}}
	if !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// isText reports whether a file is written by us for people.
func isText(name string) bool {
	return slices.Contains(texts, filepath.Ext(name)) || strings.HasPrefix(name, "scripts/") || name == "Makefile"
}
