package calendar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// TestSystemdSaysTheSame compares thousands of expressions, good and bad, with what
// systemd-analyze makes of them: whether they are taken, and when they occur.
func TestSystemdSaysTheSame(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		testenv.Missing(t, "no systemd-analyze: install systemd")
	}
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	var texts []string
	for len(texts) < 4000 {
		text := randomText(r)
		if !seen[text] {
			seen[text] = true
			texts = append(texts, text)
		}
	}
	const together = 500 // on one command line
	for len(texts) > 0 {
		n := min(together, len(texts))
		compare(t, program, texts[:n])
		texts = texts[n:]
	}
}

// occurrences are so many of each expression.
const occurrences = 3

var occurs = regexp.MustCompile(`(?:Next elapse|Iter\. #\d+): (?:\w+ (\S+ \S+) UTC|never)`)

func compare(t *testing.T, program string, texts []string) {
	t.Helper()
	base := time.Date(2026, time.November, 29, 21, 25, 39, 0, time.UTC)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{
		"calendar", "--base-time=" + base.Format(time.DateTime) + " UTC", fmt.Sprintf("--iterations=%d", occurrences), "--",
	}, texts...)...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if _, failed := errors.AsType[*exec.ExitError](cmd.Run()); cmd.ProcessState == nil || failed && !strings.Contains(stderr.String(), "Failed to parse calendar") {
		t.Fatalf("systemd-analyze: %s", stderr.String())
	}
	blocks := blocksOf(stdout.String())
	for _, text := range texts {
		refused := strings.Contains(stderr.String(), "Failed to parse calendar specification '"+text+"':")
		e, err := Parse(text)
		if refused && err == nil && e.fromEnd && len(e.day) > 1 {
			continue // systemd takes three from the bound of such days for each in the list
		}
		if refused != (err != nil) {
			t.Errorf("%q: systemd refuses it: %t, and this says %v", text, refused, err)
		}
		if refused {
			continue
		}
		if len(blocks) == 0 {
			t.Fatalf("systemd-analyze says too little:\n%s", stdout.String())
		}
		block := blocks[0]
		blocks = blocks[1:]
		if err != nil {
			continue
		}
		at := base
		for _, found := range occurs.FindAllStringSubmatch(block, -1) {
			if at = e.Next(at, time.UTC); at.IsZero() != (found[1] == "") || found[1] != "" && at.UTC().Format(time.DateTime) != found[1][:len(time.DateTime)] {
				t.Errorf("%q (%s) occurs at %s, with systemd at %q", text, e, at, found[1])
				break
			}
			if found[1] == "" {
				break
			}
		}
	}
}

// blocksOf returns what systemd-analyze says of each expression that it takes.
func blocksOf(output string) []string {
	var blocks []string
	for line := range strings.Lines(output) {
		original := strings.Contains(line, "Original form:")
		begins := original || strings.Contains(line, "Normalized form:")
		last := len(blocks) - 1
		if begins && (last < 0 || original || strings.Contains(blocks[last], "Normalized form:")) {
			blocks = append(blocks, "")
			last++
		}
		if last >= 0 {
			blocks[last] += line
		}
	}
	return blocks
}

// randomText returns an expression; many are good.
func randomText(r *rand.Rand) string {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	number := func(bound int) string { return fmt.Sprintf(pick("%d", "%02d"), r.IntN(bound+bound/8+1)) }
	span := func(bound int) string {
		text := number(bound)
		if r.IntN(4) == 0 {
			text += ".." + number(bound)
		}
		if r.IntN(5) == 0 {
			text += "/" + number(bound/2)
		}
		return text
	}
	part := func(bound int) string {
		if r.IntN(2) == 0 {
			return "*"
		}
		text := span(bound)
		for r.IntN(4) == 0 {
			text += "," + span(bound)
		}
		return text
	}
	var text string
	if r.IntN(3) == 0 {
		day := func() string {
			return pick("Mon", "tue", "Wednesday", "Thu", "FRI", "Saturday", "Sun", "Sundays", "Xyz")
		}
		text += day()
		for r.IntN(2) == 0 {
			text += pick(",", "..", "-") + day()
		}
		text += pick(" ", " ", "  ", ",")
	}
	if r.IntN(3) > 0 {
		year := pick("*", "*", "2027", "2026..2030", "2020/3", "27", "99", "1969", "2199", "2200")
		date := part(12) + pick("-", "-", "-", "~") + part(28)
		text += pick(year+"-", year+"-", "") + date + pick(" ", " ", "")
	}
	if r.IntN(4) > 0 {
		second := pick("", ":"+part(59), ":"+number(59)+"."+number(999), ":0.1..2.3", ":*", ":0.25/1.5")
		text += part(23) + ":" + part(59) + second
	}
	if r.IntN(6) == 0 {
		text += pick(" UTC", " utc", " Europe/Berlin", " America/New_York", " Nowhere/Land", " ")
	}
	if r.IntN(30) == 0 {
		text = pick("minutely", "hourly", "Daily", "weekly", "monthly", "quarterly", "semiannually", "biannually", "yearly", "annually", "anually", "dayly", "@0", "@1900000000", "@x", "daily UTC", "weekly Europe/Rome")
	}
	return text
}
