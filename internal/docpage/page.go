// Package docpage reads the commands out of the pages of the documentation, for the
// tests that run them: integration/docs runs all that a page does not leave to
// others.
//
// A command stands in a shell block (```sh). A comment before a block says how it is
// run:
//
//	<!-- run: background until COMMAND -->   it goes on while the next ones run, which
//	                                         wait until COMMAND succeeds
//	<!-- run: fails -->                      it ends with an error, and says why
//	<!-- run: by PLACE -->                   the tests in that directory run it; the
//	                                         place .ci/run is that script
//	<!-- run: not, REASON -->                nothing does
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
	By         string // the place that runs it; empty: integration/docs
	Fails      bool
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

func parse(name, text string) (Page, error) {
	p := Page{Name: name, Text: text}
	by := ""          // who runs the page
	var next Block    // what comments say of the block to come
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
				next.Code = strings.Join(lines, "\n")
				p.Blocks, next, described, fresh = append(p.Blocks, next), Block{}, false, true
			case "text":
				if last := len(p.Blocks) - 1; fresh && last >= 0 && p.Blocks[last].By == "" && p.Blocks[last].Background == "" {
					p.Blocks[last].Output = lines
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
				next.Line = i + 2
			} else if described {
				return p, fmt.Errorf("%s: a comment tells how to run what is no shell block", at)
			}
		case directive.MatchString(line):
			match := directive.FindStringSubmatch(line)
			if match[1] == "page" {
				if place, left := strings.CutPrefix(match[2], "by "); left {
					by = place
				} else {
					p.Surroundings = append(p.Surroundings, match[2])
				}
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
	if by != "" {
		for i := range p.Blocks {
			p.Blocks[i].By = by
		}
	}
	return p, nil
}

func (b *Block) describe(text string) error {
	switch {
	case strings.HasPrefix(text, "background until "):
		b.Background = strings.TrimPrefix(text, "background until ")
	case strings.HasPrefix(text, "by "):
		b.By = strings.TrimPrefix(text, "by ")
	case strings.HasPrefix(text, "not, "):
		b.By = "nobody: " + strings.TrimPrefix(text, "not, ")
	case text == "fails":
		b.Fails = true
	default:
		return fmt.Errorf("%q does not tell how to run a block", text)
	}
	return nil
}

// Names lists the pages of the documentation below root, those apart that are made
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
