package docs

import (
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/docpage"
)

// TestNames holds the names of commands and options, in blocks and in the text of
// every page, against what the programs say of themselves.
func TestNames(t *testing.T) {
	t.Parallel()
	helps := &helpTexts{programs: findPrograms(t), texts: map[string]string{}}
	checked := 0
	for _, p := range append(pages(t), reference(t)...) {
		for _, c := range commandsIn(p) {
			checked++
			if problem := helps.check(c); problem != "" {
				t.Errorf("%s: %s: %s", p.Name, strings.Join(c, " "), problem)
			}
		}
	}
	if checked < 200 {
		t.Errorf("only %d commands were found", checked)
	}
}

// reference reads the pages that are made from the code: the examples of each command
// are in them.
func reference(t *testing.T) []docpage.Page {
	t.Helper()
	var all []docpage.Page
	for _, program := range []string{"rclone-gateway", "gatewayctl"} {
		name := "docs/reference/" + program + ".md"
		text, err := os.ReadFile(filepath.Join(projectRoot, name))
		if err != nil {
			t.Fatal(err)
		}
		p := docpage.Page{Name: name, Text: string(text)}
		for _, found := range fenced.FindAllStringSubmatch(p.Text, -1) {
			p.Blocks = append(p.Blocks, docpage.Block{Code: found[1]})
		}
		if len(p.Blocks) == 0 {
			t.Errorf("%s shows no commands", name)
		}
		all = append(all, p)
	}
	return all
}

var (
	fenced       = regexp.MustCompile("(?s)```text\n(.*?)\n```")
	inline       = regexp.MustCompile("`((?:rclone-gateway|gatewayctl) [^`]+)`")
	continuation = regexp.MustCompile(`\\\n\s*`)
	separators   = regexp.MustCompile("[|;&()\n`\"]")
)

// commandsIn finds the calls of our programs, each as its words.
func commandsIn(p docpage.Page) [][]string {
	var texts []string
	for _, b := range p.Blocks {
		texts = append(texts, b.Code)
	}
	for _, found := range inline.FindAllStringSubmatch(p.Text, -1) {
		texts = append(texts, found[1])
	}
	var all [][]string
	for _, text := range texts {
		text = continuation.ReplaceAllString(text, " ")
		for _, piece := range separators.Split(text, -1) {
			words := strings.Fields(piece)
			if i := slices.Index(words, "exec"); i >= 0 && i+2 < len(words) {
				words = words[i+2:] // behind the container's name
			}
			if slices.Contains(words, "journalctl") || slices.Contains(words, "apt") {
				continue // they name the unit, and the packages
			}
			if i := slices.IndexFunc(words, isProgram); i >= 0 && !slices.Contains(words[:i], "install") && !strings.HasPrefix(piece, "#") {
				all = append(all, words[i:])
			}
		}
	}
	return all
}

func isProgram(word string) bool {
	return slices.Contains([]string{"rclone-gateway", "gatewayctl", "module-backup", "restore-module", "redis-dump", "redis-restore", "restic-wrapper"}, path.Base(word)) &&
		!strings.HasSuffix(word, "/rclone-gateway/rclone-gateway")
}

// helpTexts are what the programs' commands say to --help.
type helpTexts struct {
	programs string
	mu       sync.Mutex
	texts    map[string]string // by command path
}

func (h *helpTexts) of(command []string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := strings.Join(command, " ")
	if text, known := h.texts[name]; known {
		return text
	}
	output, err := exec.Command(filepath.Join(h.programs, command[0]), append(slices.Clone(command[1:]), "--help")...).CombinedOutput()
	if err != nil {
		output = nil
	}
	h.texts[name] = string(output)
	return string(output)
}

var (
	subcommands = regexp.MustCompile(`(?m)^(?:COMMANDS|Available Commands:)\n((?:  .*\n)+)`)
	option      = regexp.MustCompile(`^--([a-z][a-z-]*)(?:=.*)?$`)
)

// check says what is wrong with a call, "" if nothing is.
func (h *helpTexts) check(words []string) string {
	command := []string{path.Base(words[0])}
	if isApplet := command[0] != "rclone-gateway" && command[0] != "gatewayctl"; isApplet {
		command = []string{"gatewayctl", command[0]}
	}
	for _, word := range words[1:] {
		text := h.of(command)
		if text == "" {
			return "there is no command " + strings.Join(command, " ")
		}
		if found := option.FindStringSubmatch(word); found != nil {
			if slices.Contains(command, "restic-wrapper") {
				return "" // the rest may be restic's
			}
			if !regexp.MustCompile(`--` + found[1] + `(?:[^a-z-]|$)`).MatchString(text) {
				return "there is no option --" + found[1]
			}
			continue
		}
		list := subcommands.FindStringSubmatch(text)
		if list == nil || !regexp.MustCompile(`^[a-z][a-z-]*$`).MatchString(word) {
			continue
		}
		if regexp.MustCompile(`(?m)^  ` + word + ` `).MatchString(list[1]) {
			command = append(command, word)
		} else if word != "man" && word != "help" {
			return strings.Join(command, " ") + " has no command " + word
		}
	}
	return ""
}

// TestNamesThatDoNotExistAreFound proves that TestNames can fail.
func TestNamesThatDoNotExistAreFound(t *testing.T) {
	t.Parallel()
	helps := &helpTexts{programs: findPrograms(t), texts: map[string]string{}}
	for call, right := range map[string]bool{
		"gatewayctl destination add --provider aws":   true,
		"gatewayctl destination create":               false,
		"gatewayctl destination add --endpoint x":     false,
		"gatewayctl destinations list":                false,
		"rclone-gateway serve --addr 127.0.0.1:4694":  true,
		"rclone-gateway serve --address 127.0.0.1:80": false,
		"rclone-gateway server":                       false,
		"module-backup --dry-run 1":                   true,
		"module-backup --dry 1":                       false,
		"restic-wrapper --module m1 forget --prune":   true,
	} {
		if problem := helps.check(strings.Fields(call)); (problem == "") != right {
			t.Errorf("%s: %q", call, problem)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]*)\)`)

// TestLinks follows every link to a file of the project, and to a heading in it.
func TestLinks(t *testing.T) {
	t.Parallel()
	names, err := docpage.Names(projectRoot)
	if err != nil {
		t.Fatal(err)
	}
	generated, err := filepath.Glob(filepath.Join(projectRoot, "docs/reference/*.md"))
	if err != nil || len(generated) < 5 {
		t.Fatalf("found %q, %v", generated, err)
	}
	for _, name := range generated {
		names = append(names, "docs/reference/"+filepath.Base(name))
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(projectRoot, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(string(data), -1) {
			target, err := url.Parse(found[1])
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if target.Scheme != "" {
				continue
			}
			file := name
			if target.Path != "" {
				file = path.Join(path.Dir(name), target.Path)
			}
			text, err := os.ReadFile(filepath.Join(projectRoot, file))
			if err != nil && !isDir(filepath.Join(projectRoot, file)) {
				t.Errorf("%s links to %s, which is not there", name, found[1])
			}
			if target.Fragment != "" && !slices.Contains(anchors(string(text)), target.Fragment) {
				t.Errorf("%s links to %s, and there is no such heading", name, found[1])
			}
		}
	}
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

var (
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	nothing = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// anchors are what GitHub links the headings of a page by.
func anchors(text string) []string {
	var all []string
	for _, found := range heading.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(nothing.ReplaceAllString(strings.ToLower(found[1]), ""), " ", "-"))
	}
	return all
}
