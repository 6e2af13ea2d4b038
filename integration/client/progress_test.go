package client

import (
	"bufio"
	"bytes"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// A bar with all its parts: percent, sizes, rate, and the time that is left.
var wholeBar = regexp.MustCompile(`^\[#*-*\] +\d+%  [0-9.]+ \w*B of [0-9.]+ MiB  [0-9.]+ \w*B/s  (\d+[hms])+ left$`)

// TestProgressOnATerminal holds restic back until the bar has shown everything.
func TestProgressOnATerminal(t *testing.T) {
	onEach(t, []variant{{"0.14", "native"}, {"0.18", "native"}, {"0.18", "rootfull"}}, func(t *testing.T, v variant) {
		host, gate := newGatedHost(t, v)
		host.addBulk(t, 48) // more than restic can have on its way
		host.env = append(host.env, "RESTIC_PACK_SIZE=4")

		hold := gate.shut(t, uploads("data/"))
		shown := host.onTerminal(t, func() { gate.open(hold) }, "module-backup", clientSchedule)
		if !strings.HasPrefix(shown[len(shown)-1], "snapshot ") {
			t.Errorf("the last line is %q", shown[len(shown)-1])
		}
		restored := host.world.newHost(t, v, newModule)
		if v.version == "0.14" { // it tells nothing of a restore's progress
			if got := restored.request(t).succeed(t); !strings.HasPrefix(got.stderr, "restoring: restic before 0.16 does not say how far it is\n") {
				t.Errorf("it said %q", got.stderr)
			}
			return
		}
		files := restored.volume(t) + "/bulk*"
		hold = gate.shut(t, func(r *http.Request) bool {
			found, err := filepath.Glob(files)
			return downloads(r) && err == nil && len(found) > 0
		})
		shown = restored.onTerminal(t, func() { gate.open(hold) },
			"restore-module", "--step", "10restore", "--destination", clientDestination, "--repopath", "mymodule/"+savedModule.UUID)
		if !strings.HasPrefix(shown[len(shown)-1], "restored ") {
			t.Errorf("the last line is %q", shown[len(shown)-1])
		}
	})
}

// onTerminal runs an applet with a terminal as its stderr, calls goOn when a whole
// bar was shown, and returns everything that was shown, draw by draw.
func (h *clientHost) onTerminal(t *testing.T, goOn func(), applet string, args ...string) []string {
	t.Helper()
	const columns = 100
	screen, terminal := testenv.Terminal(t)
	if err := unix.IoctlSetWinsize(int(screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	cmd := h.command(applet, args...)
	cmd.Stderr = terminal
	h.check(t, cmd.Start())
	h.check(t, terminal.Close())
	giveUp := time.AfterFunc(3*time.Minute, goOn)
	var shown []string
	scanner := bufio.NewScanner(screen)
	scanner.Split(scanDraws)
	whole := false
	for scanner.Scan() { // ends when the applet closes the terminal
		draw := scanner.Text()
		shown = append(shown, draw)
		if wholeBar.MatchString(draw) && !whole && giveUp.Stop() {
			whole = true
			goOn()
		}
		if strings.HasPrefix(draw, "[") && len(draw) >= columns {
			t.Errorf("%q does not fit into %d columns", draw, columns)
		}
	}
	if err := cmd.Wait(); err != nil || !whole || len(shown) == 0 {
		t.Fatalf("a whole bar was shown: %v; %v: %q", whole, err, shown)
	}
	return shown
}

// scanDraws splits what is written to a terminal where the line is cleared, and at
// the ends of lines.
func scanDraws(data []byte, atEOF bool) (advance int, token []byte, err error) {
	at, length := len(data), 0
	for _, end := range []string{"\r\x1b[K", "\r\n"} {
		if i := bytes.Index(data, []byte(end)); i >= 0 && i < at {
			at, length = i, len(end)
		}
	}
	switch {
	case length > 0 && at == 0:
		return length, nil, nil
	case length > 0:
		return at + length, data[:at], nil
	case atEOF && len(data) > 0:
		return len(data), data, nil
	default:
		return 0, nil, nil
	}
}
