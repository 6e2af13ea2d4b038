package docgen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// Manual is a set of manual pages.
type Manual struct {
	Section int
	Version string
	Date    string // of the version, 2006-01-02
	// Alias are commands that can be called by their own names, and are linked by
	// those.
	Alias []string
}

// Write writes a page for root and one for each command below it to dir:
// gatewayctl.1, gatewayctl-destination.1 and so on.
func (m Manual) Write(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range pages(root) {
		text := []byte(m.render(p, root.Name()))
		if err := os.WriteFile(filepath.Join(dir, m.file(p.path)), text, 0o644); err != nil { //nolint:gosec // everybody reads manual pages
			return err
		}
	}
	for _, name := range m.Alias {
		link := filepath.Join(dir, m.file(name))
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(m.file(root.Name()+" "+name), link); err != nil {
			return err
		}
	}
	return nil
}

func (m Manual) file(path string) string { return fmt.Sprintf("%s.%d", manName(path), m.Section) }

func manName(path string) string { return strings.ReplaceAll(path, " ", "-") }

// render returns the source of a page, for man(7).
func (m Manual) render(p page, program string) string {
	var w strings.Builder
	name := manName(p.path)
	fmt.Fprintf(&w, ".TH %q %d %q %q\n", strings.ToUpper(name), m.Section, m.Date, program+" "+m.Version)
	fmt.Fprintf(&w, ".SH NAME\n%s \\- %s\n", roff(name), roff(p.short))
	fmt.Fprintf(&w, ".SH SYNOPSIS\n.B %s\n%s\n", roff(p.path), roff(strings.TrimSpace(strings.TrimPrefix(p.usage, p.path))))
	w.WriteString(".SH DESCRIPTION\n")
	for i, b := range blocks(p.about) {
		switch {
		case b.verbatim:
			fmt.Fprintf(&w, ".PP\n.nf\n%s\n.fi\n", roff(b.text))
		case i > 0:
			fmt.Fprintf(&w, ".PP\n%s\n", roff(b.text))
		default:
			w.WriteString(roff(b.text) + "\n")
		}
	}
	if len(p.commands) > 0 {
		w.WriteString(".SH COMMANDS\n")
		for _, c := range p.commands {
			fmt.Fprintf(&w, ".TP\n.B %s\n%s. See\n.BR %s (%d).\n", roff(c.name), roff(c.short), roff(manName(c.path)), m.Section)
		}
	}
	m.options(&w, p.options)
	if p.examples != "" {
		fmt.Fprintf(&w, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(p.examples))
	}
	if len(p.exitStatus) > 0 {
		w.WriteString(".SH EXIT STATUS\n")
		for _, c := range p.exitStatus {
			fmt.Fprintf(&w, ".TP\n.B %s\n%s\n", roff(c.code), roff(c.meaning))
		}
	}
	if p.path != program {
		parent := manName(p.path[:strings.LastIndexByte(p.path, ' ')])
		fmt.Fprintf(&w, ".SH SEE ALSO\n.BR %s (%d)\n", roff(parent), m.Section)
	}
	return w.String()
}

func (m Manual) options(w *strings.Builder, all []option) {
	if len(all) > 0 {
		w.WriteString(".SH OPTIONS\n")
	}
	for _, o := range all {
		fmt.Fprintf(w, ".TP\n.B %s\n%s.\n", roff(o.flag), roff(o.usage))
		if o.value != "" {
			fmt.Fprintf(w, "Default: %s.\n", roff(o.value))
		}
		if o.environment != "" {
			fmt.Fprintf(w, "Environment:\n.BR %s .\n", roff(o.environment))
		}
	}
}

// roff escapes text so that every character stands for itself.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
