package docpage

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Prologue begins every script.
const Prologue = `set -uE -o pipefail
fail() { echo "FAILED: $*" >&2; exit 1; }
`

// Script returns the bash script, behind the Prologue, that runs the blocks which the
// page leaves to a place ("": to nobody else). What the block on line N printed is in
// dir/N.out. The script ends with 0 only where every block did what it should; it says
// on stderr what did not.
func (p Page) Script(place, dir string) string {
	var w strings.Builder
	for _, b := range p.LeftTo(place) {
		at, out := fmt.Sprintf("%s:%d", p.Name, b.Line), fmt.Sprintf("%s/%d.out", dir, b.Line)
		fmt.Fprintf(&w, "\necho '== %s' >&2\n", at)
		switch {
		case b.Background != "":
			if b.Instead {
				w.WriteString("kill -INT -- -$background; wait $background || true\n")
			}
			// In a process group of its own, as in a terminal of its own.
			fmt.Fprintf(&w, "set -m\n{\n%s\n} >%s 2>&1 &\nbackground=$!\nset +m\n", b.Code, out)
			fmt.Fprintf(&w, "for try in {1..1800}; do { %s; } >/dev/null 2>&1 && break; kill -0 $background 2>/dev/null || { cat %s >&2; fail '%s ended'; }; sleep 0.1; done\n",
				b.Background, out, at)
			fmt.Fprintf(&w, "{ %s; } >/dev/null || { cat %s >&2; fail '%s: waited without success'; }\n", b.Background, out, at)
		case b.Fails:
			fmt.Fprintf(&w, "if (\n%s\n) >%s; then fail '%s: it was to fail'; fi\n", b.Code, out, at)
		default:
			// In the shell itself, so that variables and the directory stay.
			fmt.Fprintf(&w, "trap 'fail \"%s: $BASH_COMMAND\"' ERR\nexec 3>&1 >%s\n%s\nexec >&3 3>&-\ntrap - ERR\n", at, out, b.Code)
		}
	}
	return w.String()
}

// CheckOutputs holds what the blocks of a script printed to dir against what the page
// shows of it, and returns the differences.
func (p Page) CheckOutputs(place, dir string) error {
	var problems []error
	for _, b := range p.LeftTo(place) {
		if b.Background != "" {
			continue
		}
		output, err := os.ReadFile(fmt.Sprintf("%s/%d.out", dir, b.Line))
		if err == nil {
			err = b.unlike(string(output))
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w", p.Name, b.Line, err))
		}
	}
	return errors.Join(problems...)
}

// unlike says how the output differs from what the page shows of it, where …
// stands for anything within a line, and a line of … for any lines.
func (b Block) unlike(output string) error {
	shown := b.Output
	if len(shown) == 0 {
		return nil
	}
	var pattern strings.Builder
	pattern.WriteString(`(?s)\A`)
	for _, line := range shown {
		if strings.TrimSpace(line) == "…" {
			pattern.WriteString(`(?:[^\n]*\n)*?`)
			continue
		}
		parts := strings.Split(line, "…")
		for i, part := range parts {
			parts[i] = blanks.ReplaceAllString(b.quote(part), ` +`)
		}
		pattern.WriteString(strings.Join(parts, `[^\n]*`) + " *\n")
	}
	pattern.WriteString(`\z`)
	output = strings.TrimRight(output, "\n") + "\n"
	if regexp.MustCompile(pattern.String()).MatchString(output) {
		return nil
	}
	return fmt.Errorf("the page shows\n%s\n\nand it prints\n%s", strings.Join(shown, "\n"), output)
}

// amounts are sizes, times, counts of files, and IDs of snapshots.
var amounts = regexp.MustCompile(`\b(?:\d[\d.]*(?: ?(?:ms|s|m|B|KiB|MiB|GiB)\b| files\b)|[0-9a-f]{8}\b)`)

// anyAmount is what one of them may be in another run.
const anyAmount = `(?:[\d.]+(?:[[:blank:]]?[a-zA-Z]+)?(?:[\d.]+s)?|[0-9a-f]{8})`

// quote returns an expression for a part of a line.
func (b Block) quote(text string) string {
	if !b.Varies {
		return regexp.QuoteMeta(text)
	}
	var pattern strings.Builder
	from := 0
	for _, at := range amounts.FindAllStringIndex(text, -1) {
		pattern.WriteString(regexp.QuoteMeta(text[from:at[0]]) + anyAmount)
		from = at[1]
	}
	return pattern.String() + regexp.QuoteMeta(text[from:])
}

var blanks = regexp.MustCompile(` +`)
