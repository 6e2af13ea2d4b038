package docgen

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// Markdown returns one page for root and all its commands, without a title. The exit
// codes stand at its end, once.
func Markdown(root *cobra.Command) string {
	var w strings.Builder
	var codes []exitCode
	for _, p := range pages(root) {
		p.markdown(&w)
		for _, c := range p.exitStatus {
			if !slices.Contains(codes, c) {
				codes = append(codes, c)
			}
		}
	}
	slices.SortStableFunc(codes, func(a, b exitCode) int { return cmp.Compare(number(a.code), number(b.code)) })
	w.WriteString("\n## Exit status\n\n| exit status | meaning |\n|---|---|\n")
	for _, c := range codes {
		fmt.Fprintf(&w, "| %s | %s |\n", c.code, Cell(c.meaning))
	}
	return w.String()
}

// number is what an exit code is sorted by; what is not a number goes to the end.
func number(code string) int {
	n, err := strconv.Atoi(strings.TrimRight(code, "+"))
	if err != nil {
		return math.MaxInt
	}
	return n
}

func (p page) markdown(w *strings.Builder) {
	fmt.Fprintf(w, "\n## %s\n", p.path)
	for _, b := range blocks(p.about) {
		if b.verbatim {
			fmt.Fprintf(w, "\n```text\n%s\n```\n", b.text)
		} else {
			fmt.Fprintf(w, "\n%s\n", Cell(b.text))
		}
	}
	fmt.Fprintf(w, "\n```text\n%s\n```\n", p.usage)
	if len(p.commands) > 0 {
		w.WriteString("\n| command | what it does |\n|---|---|\n")
		for _, c := range p.commands {
			fmt.Fprintf(w, "| [%s](#%s) | %s |\n", c.name, anchor(c.path), Cell(c.short))
		}
	}
	p.markdownOptions(w)
	if p.examples != "" {
		fmt.Fprintf(w, "\n```text\n%s\n```\n", p.examples)
	}
	if len(p.exitStatus) > 0 {
		list := make([]string, len(p.exitStatus))
		for i, c := range p.exitStatus {
			list[i] = c.code
		}
		fmt.Fprintf(w, "\n[Exit status](#exit-status): %s\n", strings.Join(list, ", "))
	}
}

func (p page) markdownOptions(w *strings.Builder) {
	environment := slices.ContainsFunc(p.options, func(o option) bool { return o.environment != "" })
	value := slices.ContainsFunc(p.options, func(o option) bool { return o.value != "" })
	for i, o := range p.options {
		row := []string{code(o.flag)}
		title := []string{"option"}
		if environment {
			row, title = append(row, code(o.environment)), append(title, "environment")
		}
		if value {
			row, title = append(row, code(o.value)), append(title, "default")
		}
		if i == 0 {
			title = append(title, "what it does")
			fmt.Fprintf(w, "\n| %s |\n%s|\n", strings.Join(title, " | "), strings.Repeat("|---", len(title)))
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(append(row, Cell(o.usage)), " | "))
	}
}

// Cell returns text as a cell of a table, or as a paragraph, can hold it.
func Cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "*", "\\*", "_", "\\_").Replace(text)
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", "\\|") + "`"
}

// anchor is what the heading of a command is linked by.
func anchor(path string) string { return strings.ReplaceAll(path, " ", "-") }
