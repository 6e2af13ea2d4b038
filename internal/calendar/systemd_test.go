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
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// A surrounding is a host's time zone and the moment from which occurrences are looked
// for.
type surrounding struct {
	zone, base string
	texts      func(*rand.Rand) string
	number     int
}

// TestSystemdSaysTheSame compares thousands of expressions, good and bad, with what
// systemd-analyze makes of them: whether they are accepted, and when they occur, on usual
// days, around both changes of the clock and around leap days.
func TestSystemdSaysTheSame(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		testenv.Missing(t, "no systemd-analyze: install systemd")
	}
	for i, s := range []surrounding{
		{"UTC", "2026-11-29 21:25:39", randomText, 4000},
		{"Europe/Berlin", "2026-03-28 20:10:11", nightText, 1000},      // before the clock is put forward
		{"Europe/Berlin", "2026-03-29 00:59:59", nightText, 300},       // the second before
		{"Europe/Berlin", "2026-10-24 20:10:11", nightText, 1000},      // before it is put back
		{"Europe/Berlin", "2026-10-25 00:45:10", nightText, 500},       // in the hour that comes twice, the first time: in the second systemd begins again
		{"America/New_York", "2026-03-08 03:00:00", nightText, 500},    // west of Greenwich
		{"America/New_York", "2026-11-01 04:30:00", nightText, 500},    // the same in autumn
		{"Australia/Lord_Howe", "2026-10-03 12:00:00", nightText, 300}, // half an hour
		{"America/Santiago", "2026-09-05 12:00:00", nightText, 300},    // midnight is left out
		{"UTC", "2028-02-27 12:00:00", leapText, 500},                  // a leap day
		{"Europe/Berlin", "2096-02-28 12:00:00", leapText, 300},        // the last one before 2104
		{"Europe/Berlin", "2026-06-15 12:00:00", randomText, 1000},     // a zone that is not UTC
		{"Asia/Kolkata", "2026-12-30 06:10:00", randomText, 500},       // half an hour off
	} {
		t.Run(s.zone+" "+s.base, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, uint64(i)+2))
			seen := map[string]bool{}
			var texts []string
			for len(texts) < s.number {
				if text := s.texts(r); !seen[text] {
					seen[text] = true
					texts = append(texts, text)
				}
			}
			for chunk := range slices.Chunk(texts, together) {
				s.compare(t, program, chunk)
			}
		})
	}
}

const (
	together    = 500 // on one command line
	occurrences = 3   // of each expression
)

var occurs = regexp.MustCompile(`(?:Next elapse|Iter\. #\d+|\(in UTC\)): (?:\w+ (\S+ \S+) UTC|never)`)

func (s surrounding) compare(t *testing.T, program string, texts []string) {
	t.Helper()
	base, err := time.Parse(time.DateTime, s.base)
	if err != nil {
		t.Fatal(err)
	}
	local, err := time.LoadLocation(s.zone)
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := s.ask(t, program, texts)
	blocks := blocksOf(stdout)
	for _, text := range texts {
		refused := strings.Contains(stderr, "Failed to parse calendar specification '"+text+"':")
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
			t.Fatalf("systemd-analyze says too little:\n%s", stdout)
		}
		block := blocks[0]
		blocks = blocks[1:]
		if err != nil {
			continue
		}
		at := base
		for _, found := range occurs.FindAllStringSubmatch(block, -1) {
			if at = e.Next(at, local); at.IsZero() != (found[1] == "") || found[1] != "" && at.UTC().Format(time.DateTime) != found[1][:len(time.DateTime)] {
				t.Errorf("%q (%s) occurs at %s, with systemd at %q", text, e, at.UTC(), found[1])
				break
			}
			if found[1] == "" {
				break
			}
		}
	}
}

// ask runs systemd-analyze in the surrounding.
func (s surrounding) ask(t *testing.T, program string, texts []string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{
		"calendar", "--base-time=" + s.base + " UTC", fmt.Sprintf("--iterations=%d", occurrences), "--",
	}, texts...)...)
	cmd.Env = append(os.Environ(), "TZ="+s.zone, "LC_ALL=C", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=")
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if _, failed := errors.AsType[*exec.ExitError](cmd.Run()); cmd.ProcessState == nil || failed && !strings.Contains(problems.String(), "Failed to parse calendar") {
		t.Fatalf("systemd-analyze: %s", problems.String())
	}
	return out.String(), problems.String()
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

// nightText returns an expression that occurs at night, most of the time.
func nightText(r *rand.Rand) string {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	text := pick("", "", "", "*-*-* ", "Sun ", "Sat,Sun,Mon ", "*-03-29 ", "*-10-25 ", "*-*-1/2 ", "*-*~1/1 ", "*-*-24..31 ")
	hour := func() string { return fmt.Sprintf("%02d", r.IntN(5)) }
	switch r.IntN(5) {
	case 0:
		text += "*"
	case 1:
		text += hour() + "," + hour()
	case 2:
		text += pick("0/2", "1/2", "0..3", "1..4", "0/3", "2/1")
	default:
		text += hour()
	}
	text += ":" + pick("*", "0/15", "0/7", "00", "00", "59", fmt.Sprintf("%02d", r.IntN(60)), fmt.Sprintf("%02d", r.IntN(60)))
	return text + pick("", "", "", ":00", ":0/20", ":59", ":*") + pick("", "", "", "", "", " UTC", " Europe/Lisbon")
}

// leapText returns an expression about the end of February, most of the time.
func leapText(r *rand.Rand) string {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	day := pick("-29", "-28..29", "~1", "~01..03", "-28/1", "~2/1", "-29,30,31", fmt.Sprintf("-%02d", 20+r.IntN(12)), fmt.Sprintf("~%02d", 1+r.IntN(9)))
	text := pick("", "", "Tue ", "Mon..Wed ", "Sat ") + pick("*-", "2028-", "2027..2030-", "2028/4-", "2100-", "") + pick("02", "02", "*", "01..03", "2/12") + day
	return text + pick("", " 12:00", " *:00", " 23:59:59", fmt.Sprintf(" %02d:%02d", r.IntN(24), r.IntN(60)))
}
