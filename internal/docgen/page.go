// Package docgen makes reference pages, manual pages and completion scripts of a
// tree of cobra commands. It is linked into the programs themselves, so that it
// imports nothing that they do not have already.
package docgen

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Annotations by which a command or a flag says what cobra has no place for.
const (
	// ExitStatusAnnotation of a command holds its exit codes, one a line.
	ExitStatusAnnotation = "exit-status"
	// EnvironmentAnnotation of a flag holds the variable that sets it.
	EnvironmentAnnotation = "env"
)

// exitStatusTitle begins the exit codes where a command's Long ends with them.
const exitStatusTitle = "\nEXIT STATUS\n"

// page is what there is to say of a command.
type page struct {
	path       string // "gatewayctl destination add"
	short      string
	about      string // paragraphs; indented lines are as they stand
	usage      string
	options    []option
	commands   []subcommand
	examples   string
	exitStatus []exitCode
}

type option struct {
	flag        string // "-h, --help", "--addr address"
	usage       string
	value       string // the default
	environment string
}

type subcommand struct{ name, path, short string }

type exitCode struct{ code, meaning string }

// pages returns the pages of cmd and of all commands below it, in the order of
// their names.
func pages(cmd *cobra.Command) []page {
	all := []page{pageOf(cmd)}
	for _, sub := range cmd.Commands() {
		if documented(sub) {
			all = append(all, pages(sub)...)
		}
	}
	return all
}

// documented reports whether a command has a page: hidden ones do not, and neither
// does cobra's own help.
func documented(cmd *cobra.Command) bool {
	return cmd.IsAvailableCommand() && cmd.Name() != "help"
}

func pageOf(cmd *cobra.Command) page {
	about, codes, _ := strings.Cut(cmd.Long+"\n", exitStatusTitle)
	if codes == "" {
		codes = cmd.Annotations[ExitStatusAnnotation]
	}
	p := page{
		path:       cmd.CommandPath(),
		short:      cmd.Short,
		about:      strings.TrimSpace(about),
		usage:      cmd.UseLine(),
		options:    options(cmd),
		examples:   unindent(cmd.Example),
		exitStatus: parseExitStatus(codes),
	}
	for _, sub := range cmd.Commands() {
		if documented(sub) {
			p.commands = append(p.commands, subcommand{sub.Name(), sub.CommandPath(), sub.Short})
		}
	}
	if p.about == "" {
		p.about = cmd.Short + "."
	}
	if len(p.commands) > 0 {
		p.usage = p.path + " COMMAND [argument ...]"
	}
	return p
}

func options(cmd *cobra.Command) []option {
	var all []option
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name, usage := pflag.UnquoteUsage(f)
		o := option{flag: "--" + f.Name, usage: usage}
		if f.Shorthand != "" {
			o.flag = "-" + f.Shorthand + ", " + o.flag
		}
		if name != "" {
			o.flag += " " + name
		}
		if variable := f.Annotations[EnvironmentAnnotation]; len(variable) == 1 {
			o.environment = variable[0]
			o.usage = strings.ReplaceAll(o.usage, " [$"+o.environment+"]", "")
		}
		if value := strings.Trim(f.DefValue, "[]"); value != "" && value != "false" && value != "0" && value != "0s" {
			o.value = value
		}
		all = append(all, o)
	})
	return all
}

var exitLine = regexp.MustCompile(`^  (\S+)\s+(.*)$`)

// parseExitStatus reads lines such as "  2  wrong flags"; deeper ones continue with
// the one above.
func parseExitStatus(text string) []exitCode {
	var codes []exitCode
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch found := exitLine.FindStringSubmatch(line); {
		case found != nil:
			codes = append(codes, exitCode{found[1], found[2]})
		case len(codes) > 0 && strings.TrimSpace(line) != "":
			codes[len(codes)-1].meaning += " " + strings.TrimSpace(line)
		}
	}
	return codes
}

// unindent takes the margin of two spaces from each line of an example.
func unindent(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "  ")
	}
	return strings.Join(lines, "\n")
}

// block is a paragraph, or lines that stand as they are.
type block struct {
	verbatim bool
	text     string
}

// blocks splits the text about a command: a paragraph whose first line is indented
// is verbatim.
func blocks(text string) []block {
	var all []block
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		paragraph = strings.Trim(paragraph, "\n")
		if paragraph == "" {
			continue
		}
		b := block{verbatim: strings.HasPrefix(paragraph, "  "), text: paragraph}
		if b.verbatim {
			b.text = unindent(paragraph)
		}
		all = append(all, b)
	}
	return all
}
