package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// projectRoot is where the documentation begins.
const projectRoot = "../.."

// A page is a Markdown file, as far as its commands go.
type page struct {
	name   string // "docs/tutorial.md"
	text   string
	kinds  []string // of surroundings, in their order
	blocks []block
}

// A block is a fenced block of shell commands.
type block struct {
	line       int // of its first command
	code       string
	background string // the condition that the next block waits for; empty: none
	skip       string // why it is not run; empty: it is
	fails      bool
	output     []string // what it prints; nil: anything
}

var (
	directive = regexp.MustCompile(`^<!-- (run|page): (.*?) -->$`)
	fence     = regexp.MustCompile("^(\\s*)```(\\w*)$")
)

// readPage reads the page, and fails on what it cannot make sense of.
func readPage(t *testing.T, name string) page {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(projectRoot, name))
	if err != nil {
		t.Fatal(err)
	}
	p, err := parsePage(name, string(data))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parsePage(name, text string) (page, error) {
	p := page{name: name, text: text}
	var next block    // what comments say of the block to come
	var inside string // the language of the fence that is open
	var margin string
	var lines []string
	open, described := false, false
	fresh := false // no text since the last shell block
	blank := true  // the line before
	for i, line := range strings.Split(text, "\n") {
		before := blank
		blank = strings.TrimSpace(line) == ""
		at := fmt.Sprintf("%s:%d", name, i+1)
		found := fence.FindStringSubmatch(line)
		switch {
		case open && found != nil && found[2] == "":
			open = false
			switch inside {
			case "sh":
				next.code = strings.Join(lines, "\n")
				p.blocks, next, described, fresh = append(p.blocks, next), block{}, false, true
			case "text":
				if last := len(p.blocks) - 1; fresh && last >= 0 && p.blocks[last].skip == "" && p.blocks[last].background == "" {
					p.blocks[last].output = lines
				}
				fresh = false
			}
		case open:
			lines = append(lines, strings.TrimPrefix(line, margin))
		case found != nil:
			open, margin, inside, lines = true, found[1], found[2], nil
			if !slices.Contains([]string{"sh", "text", "json", "yaml", "ini", "conf", "mermaid", "go", "promql"}, inside) {
				return p, fmt.Errorf("%s: a fenced block of %q, of which the tests know nothing: commands are sh", at, inside)
			}
			if inside == "sh" {
				next.line = i + 2
			} else if described {
				return p, fmt.Errorf("%s: a comment tells how to run what is no shell block", at)
			}
		case directive.MatchString(line):
			match := directive.FindStringSubmatch(line)
			if match[1] == "page" {
				p.kinds = append(p.kinds, match[2])
				continue
			}
			if err := next.describe(match[2]); err != nil {
				return p, fmt.Errorf("%s: %w", at, err)
			}
			described = true
		case strings.HasPrefix(line, "    ") && !blank && before:
			return p, fmt.Errorf("%s: indented code, of which the tests know nothing: put it into a fence", at)
		case strings.TrimSpace(line) != "":
			fresh = fresh && described
			if described {
				return p, fmt.Errorf("%s: text between a comment that tells how to run a block, and the block", at)
			}
		}
	}
	if open {
		return p, fmt.Errorf("%s: a fence that nothing closes", name)
	}
	return p, nil
}

func (b *block) describe(text string) error {
	switch {
	case strings.HasPrefix(text, "background until "):
		b.background = strings.TrimPrefix(text, "background until ")
	case strings.HasPrefix(text, "not, "):
		b.skip = strings.TrimPrefix(text, "not, ")
	case text == "fails":
		b.fails = true
	default:
		return fmt.Errorf("%q does not tell how to run a block", text)
	}
	return nil
}

// pageNames lists the pages of the documentation, those apart that are made from
// the code.
func pageNames(t *testing.T) []string {
	t.Helper()
	names := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, dir := range []string{"docs", "deploy", "bench"} {
		err := fs.WalkDir(os.DirFS(projectRoot), dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if name == "docs/reference" {
				return fs.SkipDir
			}
			if !entry.IsDir() && filepath.Ext(name) == ".md" {
				names = append(names, name)
			}
			return nil
		})
		if err != nil && dir != "deploy" {
			t.Fatal(err)
		}
	}
	return names
}

func TestParsePageFindsBlocksAndWhatIsSaidOfThem(t *testing.T) {
	t.Parallel()
	p, err := parsePage("page.md", strings.ReplaceAll(`# Title
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

<!-- run: not, needs an account -->
   '''sh
   four
   '''
`, "'''", "```"))
	if err != nil {
		t.Fatal(err)
	}
	want := []block{
		{line: 5, code: "one\ntwo", output: []string{"said …"}},
		{line: 15, code: "three", background: "true"},
		{line: 20, code: "four", skip: "needs an account"},
	}
	if got := fmt.Sprintf("%+v", p.blocks); got != fmt.Sprintf("%+v", want) {
		t.Errorf("blocks are\n%s, want\n%+v", got, want)
	}
	if !slices.Equal(p.kinds, []string{"s3"}) {
		t.Errorf("surroundings are %q", p.kinds)
	}
}

func TestParsePageRefusesWhatItWouldMisread(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a language of no meaning":  "'''bash\nls\n'''\n",
		"a fence without its end":   "'''sh\nls\n",
		"an unknown way to run":     "<!-- run: maybe -->\n'''sh\nls\n'''\n",
		"a comment without a block": "<!-- run: fails -->\nText.\n",
		"indented code":             "Text:\n\n    ls\n",
		"a comment of output":       "<!-- run: fails -->\n'''text\nls\n'''\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if p, err := parsePage("page.md", strings.ReplaceAll(text, "'''", "```")); err == nil {
				t.Errorf("it was read as %+v", p)
			}
		})
	}
}
