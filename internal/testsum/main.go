// Command testsum reads the events of `go test -json` on its standard input and
// prints what go test prints without -v: one line for each package, and the
// output of the tests that failed. Then it lists the tests that took longest, why tests
// were skipped, and again how each failed test ended, as the last lines are what one sees
// of a long run. Its very last line is the count:
//
//	412 passed, 0 failed
//
// Tests and subtests count alike. A package that fails without a failing test
// (it does not build, or it crashes) counts as one failure, as does a test that
// began and never ended. It exits with 1 when anything failed or nothing ran.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
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
	Elapsed    float64 // seconds
}

// A test is named by its package and its own name; the package itself has none.
type test struct{ pkg, name string }

// timed is a test with the seconds that it took.
type timed struct {
	test
	seconds float64
}

type summary struct {
	out     *bufio.Writer
	output  map[test]*strings.Builder // of what has not ended yet
	built   map[string]*strings.Builder
	failing map[string]bool     // packages in which a test failed
	skipped map[string][]string // names of tests, by the reason
	ends    []string            // the last lines of each failed test
	slow    []timed             // tests and subtests
	passed  int
	failed  int
}

func summarise(in io.Reader, out io.Writer) (passed, failed int, err error) {
	s := &summary{
		out:     bufio.NewWriter(out),
		output:  map[test]*strings.Builder{},
		built:   map[string]*strings.Builder{},
		failing: map[string]bool{},
		skipped: map[string][]string{},
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

// line takes one event. Other lines, go's own complaints, are passed on.
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
	if t.name != "" && e.Elapsed >= slowSeconds {
		s.slow = append(s.slow, timed{t, e.Elapsed})
	}
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
		s.ends = append(s.ends, s.lastLines(t))
	case "skip":
		reason := s.reason(t)
		s.skipped[reason] = append(s.skipped[reason], t.name)
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
	s.tellSlow()
	s.tellSkipped()
	for _, end := range s.ends {
		fmt.Fprint(s.out, "\nfailed: ", end)
	}
	fmt.Fprintf(s.out, "\n%d passed, %d failed\n", s.passed, s.failed)
}

// What is listed as slow: so many tests, if they take so long.
const (
	slowTests   = 10
	slowSeconds = 20
)

func (s *summary) tellSlow() {
	slices.SortStableFunc(s.slow, func(a, b timed) int { return cmp.Compare(b.seconds, a.seconds) })
	for i, t := range s.slow[:min(len(s.slow), slowTests)] {
		if i == 0 {
			fmt.Fprint(s.out, "\nslowest:\n")
		}
		fmt.Fprintf(s.out, "%6.0f s  %s %s\n", t.seconds, path.Base(t.pkg), t.name)
	}
}

func (s *summary) tellSkipped() {
	for _, reason := range slices.Sorted(maps.Keys(s.skipped)) {
		tests := s.skipped[reason]
		fmt.Fprintf(s.out, "\n%d skipped, %s: %s", len(tests), reason, tests[0])
		if len(tests) > 1 {
			fmt.Fprint(s.out, " and others")
		}
	}
	if len(s.skipped) > 0 {
		fmt.Fprintln(s.out)
	}
}

func (s *summary) print(t test) {
	for line := range strings.Lines(s.output[t].String()) {
		if !noise(line) {
			s.out.WriteString(line)
		}
	}
}

// lastLines is the name of a test and how its output ended.
func (s *summary) lastLines(t test) string {
	const most = 25
	var lines []string
	for line := range strings.Lines(s.output[t].String()) {
		if !noise(line) {
			lines = append(lines, line)
		}
	}
	return t.pkg + " " + t.name + "\n" + strings.Join(lines[max(0, len(lines)-most):], "")
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

// reason is why a test was skipped: its last line before the verdict, without the place
// in the code.
func (s *summary) reason(t test) string {
	reason := "for no reason"
	for line := range strings.Lines(s.output[t].String()) {
		if !noise(line) && !strings.HasPrefix(strings.TrimSpace(line), "--- SKIP") {
			reason = place.ReplaceAllString(strings.TrimSpace(line), "")
		}
	}
	return reason
}

var place = regexp.MustCompile(`^\S+\.go:\d+: `)

func builder[K comparable](m map[K]*strings.Builder, k K) *strings.Builder {
	if m[k] == nil {
		m[k] = new(strings.Builder)
	}
	return m[k]
}
