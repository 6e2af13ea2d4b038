package page

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// crowd are the facts of that many modules, each with backups at that many destinations,
// of which some went wrong.
func crowd(modules, destinations int) *status.Facts {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	f := &status.Facts{Time: now, Zone: time.UTC, Verdict: status.Verdict{Level: status.Bad, Text: "12 things are wrong"}}
	for j := range destinations {
		id := fmt.Sprintf("0e5a17e0-0000-4000-8000-%012d", j)
		f.Destinations = append(f.Destinations, status.Destination{
			ID: id, Name: fmt.Sprintf("Destination %d", j), State: status.StateWorks, Level: status.Good, Schedules: []string{strconv.Itoa(j + 1)},
		})
	}
	outcomes := []status.Outcome{status.Failed, status.Partial, status.Missed, status.None, status.Skipped}
	random := uint32(7)
	next := func(n uint32) uint32 {
		random = random*1664525 + 1013904223
		return (random >> 8) % n
	}
	for i := range modules {
		m := status.Module{ID: fmt.Sprintf("nextcloud%d", i), Name: fmt.Sprintf("Files of department %d", i), App: "nextcloud", UUID: fmt.Sprintf("5d1e0e90-0000-4000-8000-%012d", i), Level: status.Good}
		for j := range destinations {
			p := status.Protection{Destination: f.Destinations[j].ID, Schedule: strconv.Itoa(j + 1), Outcome: status.Done, Level: status.Good}
			for range status.Days {
				outcome := status.Done
				if next(20) == 0 { // one day of twenty
					outcome = outcomes[next(5)]
				}
				p.Days = append(p.Days, outcome)
			}
			p.Outcome = p.Days[len(p.Days)-1]
			m.Protections = append(m.Protections, p)
		}
		f.Modules = append(f.Modules, m)
	}
	for i := range min(40, 40*modules) {
		f.Attention = append(f.Attention, status.Attention{ID: strconv.Itoa(i), Level: status.Bad, What: "The backup of a module failed", Do: "Run it again", Module: f.Modules[i%modules].Path()})
	}
	f.Counts = status.Counts{Modules: modules, Destinations: destinations, Schedules: destinations}
	return f
}

func overview(tb testing.TB, f *status.Facts) []byte {
	tb.Helper()
	p := &Page{Chrome: &Chrome{Title: "Overview", User: "admin/anna", Path: Base, Token: "token"}, Facts: f}
	content, err := p.Render("overview")
	if err != nil {
		tb.Fatal(err)
	}
	return content
}

// zipped is a page as it is sent.
func zipped(tb testing.TB, content []byte) []byte {
	tb.Helper()
	var sent bytes.Buffer
	w := gzip.NewWriter(&sent)
	if _, err := w.Write(content); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return sent.Bytes()
}

// TestOverviewOfManyIsSmall holds the target of the page: 200 modules at 8 destinations
// in 30 days take no more than 100 kB on the wire.
func TestOverviewOfManyIsSmall(t *testing.T) {
	t.Parallel()
	content := overview(t, crowd(200, 8))
	sent := len(zipped(t, content)) + len(zipped(t, Style))
	t.Logf("%d bytes, %d on the wire with the stylesheet", len(content), sent)
	if sent > 100_000 {
		t.Errorf("%d bytes are sent", sent)
	}
	if n := bytes.Count(content, []byte(`<svg class="strip" role="img"`)); n != 1600 {
		t.Errorf("%d strips", n)
	}
}

// BenchmarkOverview renders and compresses the overview of 200 modules at 8 destinations
// in 30 days; the target is 50 ms.
func BenchmarkOverview(b *testing.B) {
	f := crowd(200, 8)
	b.ReportAllocs()
	used := testenv.CPUSeconds(b)
	for b.Loop() {
		zipped(b, overview(b, f))
	}
	b.ReportMetric((testenv.CPUSeconds(b)-used)*1000/float64(b.N), "cpu-ms/op")
}

func TestDaysAreSaidInWords(t *testing.T) {
	t.Parallel()
	f := crowd(1, 1)
	days := newDays(f)
	outcomes := f.Modules[0].Protections[0].Days
	for i := range outcomes {
		outcomes[i] = status.Done
	}
	outcomes[27], outcomes[28] = status.Failed, status.Missed
	got := days.summary(outcomes)
	if want := "30 days: 28 done, 1 failed (the last on 28 November), 1 missed (the last on 29 November)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var w strings.Builder
	days.strip(&w, outcomes, 1)
	if n := strings.Count(w.String(), "<rect"); n != 4 {
		t.Errorf("%d rectangles for 4 runs of equal days: %s", n, w.String())
	}
}

func TestWordsForPeople(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 10 << 20: "10 MiB", 1<<40 - 1: "1.0 TiB", 3 << 30: "3.0 GiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0 s", 59 * time.Second: "59 s", 90 * time.Second: "1 min 30 s", 25 * time.Hour: "1 d 1 h", 7 * 24 * time.Hour: "7 d", time.Hour + time.Second: "1 h 1 s",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	p := &Page{Facts: crowd(0, 0)}
	for ago, want := range map[time.Duration]string{
		0: "just now", time.Minute: "1 minute ago", 47 * time.Hour: "47 hours ago", 72 * time.Hour: "3 days ago", -time.Minute: "in the future",
	} {
		if got := p.Ago(p.Facts.Time.Add(-ago)); got != want {
			t.Errorf("%v: %q, want %q", ago, got, want)
		}
	}
}
