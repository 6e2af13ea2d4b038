package restic

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAnOutageIsOneLineAndItsEndAnother(t *testing.T) {
	t.Parallel()
	var o Outage
	now := time.Now()
	var told []string
	hear := func(line string) {
		now = now.Add(time.Second)
		if text := o.Condense(line, now); text != "" {
			told = append(told, text)
		}
	}
	hear("open repository")
	for i := range 23 {
		hear(fmt.Sprintf("Save(<data/%02d>) returned error, retrying after 1.5s: server response unexpected: 502 Bad Gateway (502)", i%2))
	}
	hear("Save(<data/00>) operation successful after 12 retries")
	hear("Save(<data/01>) operation successful after 11 retries")
	hear("Save(<data/07>) operation successful after 1 retries") // of nothing that was told
	hear("Load(<index/aa>, 0, 0) returned error, retrying after 552.330144ms: connection refused")
	if text := o.End(now.Add(2 * time.Second)); text != "" {
		told = append(told, text)
	}
	if text := o.End(now); text != "" {
		t.Errorf("it ends twice: %s", text)
	}
	want := []string{
		"open repository",
		"the repository fails, restic retries: Save(<data/00>): server response unexpected: 502 Bad Gateway (502)",
		"the repository works again, after 24s and 23 retries",
		"the repository fails, restic retries: Load(<index/aa>, 0, 0): connection refused",
		"the repository works again, after 2s and one retry",
	}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("told was\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}

func TestAFailureIsNotToldWithAllItsRetries(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	for i := range 23 {
		fmt.Fprintf(&said, "Save(<data/%02d>) returned error, retrying after 1.5s: dial tcp 127.0.0.1:4694: connect: connection refused\n", i)
	}
	said.WriteString("Fatal: unable to save snapshot: connection refused\n")
	failure := classify(Native, 1, said.String())
	if lines := strings.Count(failure.Detail, "\n") + 1; lines != 2 || failure.Reason != Unreachable {
		t.Errorf("%d lines of reason %d:\n%s", lines, failure.Reason, failure.Detail)
	}
}
