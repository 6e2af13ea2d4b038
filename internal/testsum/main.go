// Command testsum reads the events of `go test -json` on its standard input and
// prints what go test prints without -v: one line for each package, and the
// output of the tests that failed. Then it names the tests that were skipped,
// and its last line is the count:
//
//	412 passed, 0 failed
//
// Tests and subtests count alike. A package that fails without a failing test
// (it does not build, or it crashes) counts as one failure, as does a test that
// began and never ended. It exits with 1 when anything failed or nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	passed, failed, err := summarise(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(2)
	}
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

// An event is what `go doc test2json` describes, and go help buildjson for
// those of the build.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build events
	Test       string
	Output     string
}

// A test is named by its package and its own name; the package itself has none.
type test struct{ pkg, name string }

type summary struct {
	out     *bufio.Writer
	output  map[test]*strings.Builder // of what has not ended yet
	built   map[string]*strings.Builder
	failing map[string]bool // packages in which a test failed
	skipped []string
	passed  int
	failed  int
}

func summarise(in io.Reader, out io.Writer) (passed, failed int, err error) {
	s := &summary{
		out:     bufio.NewWriter(out),
		output:  map[test]*strings.Builder{},
		built:   map[string]*strings.Builder{},
		failing: map[string]bool{},
	}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			s.line(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return s.passed, s.failed, fmt.Errorf("reading go test's events: %w", err)
		}
	}
	s.end()
	return s.passed, s.failed, s.out.Flush()
}

// line takes one event. What is none, go's own complaints, is passed on.
func (s *summary) line(line string) {
	var e event
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil {
		s.out.WriteString(line)
		return
	}
	if e.Action == "build-output" {
		builder(s.built, e.ImportPath).WriteString(e.Output)
		return
	}
	t := test{e.Package, e.Test}
	switch e.Action {
	case "output":
		builder(s.output, t).WriteString(e.Output)
	case "start", "run":
		builder(s.output, t)
	case "pass", "fail", "skip":
		s.ended(t, e.Action)
	}
}

// ended books the end of a test or, where it has no name, of a package.
func (s *summary) ended(t test, action string) {
	if t.name == "" {
		s.packageEnded(t, action)
		return
	}
	switch action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
		s.failing[t.pkg] = true
		s.print(t)
	case "skip":
		s.skipped = append(s.skipped, fmt.Sprintf("%s %s%s", t.pkg, t.name, s.reason(t)))
	}
	delete(s.output, t)
}

func (s *summary) packageEnded(t test, action string) {
	for open := range s.output {
		if open.pkg == t.pkg && open.name != "" {
			s.ended(open, "fail")
		}
	}
	if action == "fail" && !s.failing[t.pkg] {
		s.failed++
	}
	s.print(t)
	delete(s.output, t)
	s.out.Flush() // the next package may take minutes
}

// end books what the stream left open and prints the last lines.
func (s *summary) end() {
	for _, output := range s.built {
		s.out.WriteString(output.String())
	}
	for open := range s.output {
		if open.name == "" {
			s.packageEnded(open, "fail")
		}
	}
	if len(s.skipped) > 0 {
		fmt.Fprintf(s.out, "\n%d skipped:\n", len(s.skipped))
		for _, line := range s.skipped {
			fmt.Fprintln(s.out, "  "+line)
		}
	}
	fmt.Fprintf(s.out, "\n%d passed, %d failed\n", s.passed, s.failed)
}

func (s *summary) print(t test) {
	for line := range strings.Lines(s.output[t].String()) {
		if !noise(line) {
			s.out.WriteString(line)
		}
	}
}

// noise tells the lines that go test prints with -v only.
func noise(line string) bool {
	for _, prefix := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return line == "PASS\n"
}

// reason is why a test was skipped: its last line before the verdict.
func (s *summary) reason(t test) string {
	reason := ""
	for line := range strings.Lines(s.output[t].String()) {
		if !noise(line) && !strings.HasPrefix(strings.TrimSpace(line), "--- SKIP") {
			reason = ": " + strings.TrimSpace(line)
		}
	}
	return reason
}

func builder[K comparable](m map[K]*strings.Builder, k K) *strings.Builder {
	if m[k] == nil {
		m[k] = new(strings.Builder)
	}
	return m[k]
}
