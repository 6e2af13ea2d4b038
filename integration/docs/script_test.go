package docs

import (
	"fmt"
	"regexp"
	"strings"
)

// prologue begins every script.
const prologue = `set -uE -o pipefail
fail() { echo "FAILED: $*" >&2; exit 1; }
`

// script returns the bash script, behind the prologue, that runs the page's blocks.
// Block i leaves what it printed in dir/i.out. The script ends with 0 only where
// every block did what it should; it says on stderr what did not.
func (p page) script(dir string) string {
	var w strings.Builder
	for i, b := range p.blocks {
		if b.skip != "" {
			continue
		}
		at, out := fmt.Sprintf("%s:%d", p.name, b.line), fmt.Sprintf("%s/%d.out", dir, i)
		fmt.Fprintf(&w, "\necho '== %s' >&2\n", at)
		switch {
		case b.background != "":
			fmt.Fprintf(&w, "{\n%s\n} >%s 2>&1 &\n", b.code, out)
			fmt.Fprintf(&w, "for try in {1..300}; do { %s; } >/dev/null 2>&1 && break; kill -0 $! 2>/dev/null || { cat %s >&2; fail '%s ended'; }; sleep 0.1; done\n",
				b.background, out, at)
			fmt.Fprintf(&w, "{ %s; } >/dev/null || { cat %s >&2; fail '%s: waited in vain'; }\n", b.background, out, at)
		case b.fails:
			fmt.Fprintf(&w, "if (\n%s\n) >%s; then fail '%s: it was to fail'; fi\n", b.code, out, at)
		default:
			// In the shell itself, so that variables and the directory stay.
			fmt.Fprintf(&w, "trap 'fail \"%s: $BASH_COMMAND\"' ERR\nexec 3>&1 >%s\n%s\nexec >&3 3>&-\ntrap - ERR\n", at, out, b.code)
		}
	}
	return w.String()
}

// unlike tells how the output differs from what the page shows of it, where …
// stands for anything within a line, and a line of … for any lines.
func unlike(shown []string, output string) string {
	if len(shown) == 0 {
		return ""
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
			parts[i] = blanks.ReplaceAllString(regexp.QuoteMeta(part), ` +`)
		}
		pattern.WriteString(strings.Join(parts, `[^\n]*`) + " *\n")
	}
	pattern.WriteString(`\z`)
	output = strings.TrimRight(output, "\n") + "\n"
	if regexp.MustCompile(pattern.String()).MatchString(output) {
		return ""
	}
	return fmt.Sprintf("the page shows\n%s\n\nand it prints\n%s", strings.Join(shown, "\n"), output)
}

var blanks = regexp.MustCompile(` +`)
