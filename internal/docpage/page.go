// Package docpage reads the commands out of the pages of the documentation, for the
// tests that run them: integration/docs runs all that a page does not leave to
// others.
//
// A command stands in a shell block (```sh). A comment before a block says how it is
// run:
//
//	<!-- run: background until COMMAND -->   it continues while the next ones run, which
//	                                         wait until COMMAND succeeds
//	<!-- run: background instead until COMMAND -->
//	                                         the same, when Ctrl-C has ended the one
//	                                         that went on before
//	<!-- run: fails -->                      it ends with an error, and says why
//	<!-- run: once -->                       not again where another page continues
//	                                         from this one
//	<!-- run: numbers vary -->               what it prints has other sizes, times and IDs
//	                                         than the page shows
//	<!-- run: by PLACE -->                   the tests in that directory run it; the
//	                                         place .ci/run is that script
//
// and one anywhere on the page changes the page's surroundings, which integration/docs
// describes:
//
//	<!-- page: s3 -->
//	<!-- page: by PLACE -->                  all of the page's blocks are left to PLACE
//
// A block of ```text behind a shell block is what that one prints on stdout; … in it
// stands for anything.
package docpage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Page is a Markdown file, as far as its commands go.
type Page struct {
	Name         string // "docs/tutorial.md"
	Text         string
	Surroundings []string // in their order
	Blocks       []Block
}

// A Block is a fenced block of shell commands.
type Block struct {
	Line       int // of its first command
	Code       string
	Background string // the condition that the next block waits for; empty: none
	Instead    bool   // of the last one in the background, which is ended before
	By         string // the place that runs it; empty: integration/docs
	Fails      bool
	Once       bool     // only for the page itself
	Varies     bool     // numbers of the output
	Output     []string // what it prints; nil: anything
}

var (
	directive = regexp.MustCompile(`^<!-- (run|page): (.*?) -->$`)
	fence     = regexp.MustCompile("^(\\s*)```(\\w*)$")
)

// Read reads the page of that name below root, the project's directory. What it cannot
// make sense of is an error.
func Read(root, name string) (Page, error) {
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return Page{}, err
	}
	return parse(name, string(data))
}

// LeftTo returns the blocks that the page leaves to a place, in their order.
func (p Page) LeftTo(place string) []Block {
	return slices.DeleteFunc(slices.Clone(p.Blocks), func(b Block) bool { return b.By != place })
}

// Before returns the page as far as others continue from it.
func (p Page) Before() Page {
	p.Blocks = slices.DeleteFunc(slices.Clone(p.Blocks), func(b Block) bool { return b.Once })
	return p
}

func parse(name, text string) (Page, error) {
	p := parser{page: Page{Name: name, Text: text}, blank: true}
	for i, line := range strings.Split(text, "\n") {
		if err := p.line(i+1, line); err != nil {
			return Page{}, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
		p.blank = strings.TrimSpace(line) == ""
	}
	if p.open {
		return Page{}, fmt.Errorf("%s: a fence that nothing closes", name)
	}
	if p.by != "" {
		for i := range p.page.Blocks {
			p.page.Blocks[i].By = p.by
		}
	}
	return p.page, nil
}

// A parser is how far the reading of a page has come.
type parser struct {
	page Page
	by   string // who runs the page

	next      Block // what comments say of the block to come
	described bool  // there is such a comment

	open             bool // in a fenced block
	language, margin string
	lines            []string

	fresh bool // no text since the last shell block
	blank bool // the line before
}

func (p *parser) line(number int, line string) error {
	found := fence.FindStringSubmatch(line)
	switch {
	case p.open && found != nil && found[2] == "":
		p.open = false
		p.blockEnded()
	case p.open:
		p.lines = append(p.lines, strings.TrimPrefix(line, p.margin))
	case found != nil:
		return p.blockBegins(number, found[1], found[2])
	case directive.MatchString(line):
		match := directive.FindStringSubmatch(line)
		return p.comment(match[1], match[2])
	case strings.HasPrefix(line, "    ") && strings.TrimSpace(line) != "" && p.blank:
		return errors.New("indented code, which the tests do not run: put it in a fence")
	case strings.TrimSpace(line) != "":
		if p.described {
			return errors.New("text between a comment that says how to run a block, and the block")
		}
		p.fresh = false
	}
	return nil
}

func (p *parser) blockBegins(number int, margin, language string) error {
	p.open, p.margin, p.language, p.lines = true, margin, language, nil
	if !slices.Contains([]string{"sh", "text", "json", "yaml", "ini", "conf", "mermaid", "go", "promql"}, language) {
		return fmt.Errorf("a fenced block of %q, which the tests do not know: commands are sh", language)
	}
	if language == "sh" {
		p.next.Line = number + 1
	} else if p.described {
		return errors.New("a comment says how to run what is no shell block")
	}
	return nil
}

func (p *parser) blockEnded() {
	switch p.language {
	case "sh":
		p.next.Code = strings.Join(p.lines, "\n")
		p.page.Blocks = append(p.page.Blocks, p.next)
		p.next, p.described, p.fresh = Block{}, false, true
	case "text":
		if last := len(p.page.Blocks) - 1; p.fresh && p.page.Blocks[last].Background == "" {
			p.page.Blocks[last].Output = p.lines
		}
		p.fresh = false
	}
}

// comment takes what a comment says of the block to come or of the page.
func (p *parser) comment(about, text string) error {
	if about == "run" {
		p.described = true
		return p.next.describe(text)
	}
	if place, left := strings.CutPrefix(text, "by "); left {
		p.by = place
	} else {
		p.page.Surroundings = append(p.page.Surroundings, text)
	}
	return nil
}

func (b *Block) describe(text string) error {
	switch {
	case strings.HasPrefix(text, "background until "):
		b.Background = strings.TrimPrefix(text, "background until ")
	case strings.HasPrefix(text, "background instead until "):
		b.Background, b.Instead = strings.TrimPrefix(text, "background instead until "), true
	case strings.HasPrefix(text, "by "):
		b.By = strings.TrimPrefix(text, "by ")
	case text == "fails":
		b.Fails = true
	case text == "numbers vary":
		b.Varies = true
	case text == "once":
		b.Once = true
	default:
		return fmt.Errorf("%q does not say how to run a block", text)
	}
	return nil
}

// Names lists the pages of the documentation below root, except those that are made
// from the code.
func Names(root string) ([]string, error) {
	names := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, dir := range []string{"docs", "deploy", "bench"} {
		err := fs.WalkDir(os.DirFS(root), dir, func(name string, entry fs.DirEntry, err error) error {
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
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}
