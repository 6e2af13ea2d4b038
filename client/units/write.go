package units

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
	"github.com/rclone-gateway/rclone-gateway/internal/calendar"
)

const (
	prefix = "rclone-gateway-backup-"
	// modulePrefix begins the units of a module on its own host. The module's ID, a dot,
	// which no ID contains, and the schedule's ID follow.
	modulePrefix = "rclone-gateway-module-"
	// mark begins every file written here; files without it are not touched.
	mark = "# Written by \"gatewayctl schedule install\", which replaces it: change the schedule instead.\n"
	// syncName is the unit that updates the others.
	syncName = "rclone-gateway-schedules"
	// requestsName is the unit that runs what is requested on the page.
	requestsName = "rclone-gateway-requests.service"
	// notifyName is the unit that sends notifications.
	notifyName = "rclone-gateway-notify"
)

// extras are the optional units besides those of schedules.
var extras = []string{requestsName, notifyName + ".timer", notifyName + ".service"}

// Host is the input of the units.
type Host struct {
	Dir     string // for units
	Program string // path of gatewayctl
	EnvFile string // of the node, or the module
	// Module is the ID of the only module to back up, on its own host.
	Module string
	// Requests adds the unit that runs requests of the page.
	Requests bool
	// Notify adds the units that send notifications.
	Notify bool
}

// Files returns the units of schedules, by name.
func (h Host) Files(schedules []schedule.Planned) (map[string]string, error) {
	files := map[string]string{}
	for i := range schedules {
		s := &schedules[i].Schedule
		event, err := calendar.Parse(s.When)
		if err != nil {
			continue // its runs would fail; schedule list reports the mistake
		}
		if !idOfUnit(s.ID) {
			return nil, exit.Failf(exit.Usage, "%q cannot be part of the name of a unit", s.ID)
		}
		files[h.prefix()+s.ID+".timer"] = h.timer(s, event)
		files[h.prefix()+s.ID+".service"] = h.service(s)
	}
	files[h.syncUnit()+".timer"] = mark + `[Unit]
Description=Keep the timers of backup schedules in step

[Timer]
OnBootSec=1min
OnUnitActiveSec=5min

[Install]
WantedBy=timers.target
`
	files[h.syncUnit()+".service"] = mark + `[Unit]
Description=Keep the timers of backup schedules in step
After=network-online.target redis-server.service redis.service rclone-gateway-redis.service
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=` + h.command(h.syncArguments()...) + "\n"
	if h.Requests {
		files[requestsName] = h.requestsService()
	}
	if h.Notify {
		h.addNotify(files)
	}
	return files, nil
}

// prefix begins the names of this host's units for schedules.
func (h Host) prefix() string {
	if h.Module != "" {
		return modulePrefix + h.Module + "."
	}
	return prefix
}

// owns reports whether a name is that of a unit of this host.
func (h Host) owns(name string) bool {
	return strings.HasPrefix(name, h.prefix()) || h.Module == "" && slices.Contains(extras, name)
}

// syncUnit returns the unit that updates the others.
func (h Host) syncUnit() string {
	if h.Module != "" {
		return modulePrefix + h.Module
	}
	return syncName
}

// syncArguments are the arguments of its command.
func (h Host) syncArguments() []string {
	args := []string{"schedule", "install", "--quiet", "--dir", h.Dir}
	if h.Requests {
		args = append(args, "--requests")
	}
	return args
}

// requestsService returns the service that runs requests of the page.
func (h Host) requestsService() string {
	return mark + `[Unit]
Description=Run backups that are asked for on the page
After=network-online.target redis-server.service redis.service rclone-gateway-redis.service
Wants=network-online.target

[Service]
ExecStart=` + h.command("scheduler", "--requests") + `
Restart=always
RestartSec=10s
TimeoutStopSec=5min
KillMode=mixed
StateDirectory=rclone-gateway-runs
CacheDirectory=rclone-gateway-runs
Nice=10

[Install]
WantedBy=multi-user.target
`
}

// addNotify adds the timer and the service of notifications. The journal only shows the
// output of the service, not its start each minute.
func (h Host) addNotify(files map[string]string) {
	files[notifyName+".timer"] = mark + `[Unit]
Description=Each minute: tell people how the backups are

[Timer]
OnBootSec=2min
OnUnitActiveSec=1min
AccuracySec=5s

[Install]
WantedBy=timers.target
`
	files[notifyName+".service"] = mark + `[Unit]
Description=Tell people how the backups are
After=network-online.target redis-server.service redis.service rclone-gateway-redis.service rclone-gateway.service
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=` + h.command("notify", "run") + `
# Another pass tells it, such as that of a run.
SuccessExitStatus=3
TimeoutStartSec=10min
StateDirectory=rclone-gateway-runs
SyslogLevel=notice
LogLevelMax=notice
`
}

func idOfUnit(id string) bool {
	return id != "" && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

// timer returns the timer of a schedule. The service implements the delay, so that the
// timer shows the calendar's times.
func (h Host) timer(s *schedule.Schedule, event *calendar.Event) string {
	when := event.String()
	if loc := event.Location(s.Location()); loc != time.Local && !strings.HasSuffix(when, " "+loc.String()) {
		when += " " + loc.String()
	}
	return mark + "[Unit]\nDescription=" + escaped("Time of backups: "+s.Title()) + "\n\n[Timer]\nOnCalendar=" + when +
		"\nAccuracySec=1s\nPersistent=" + map[bool]string{true: "no", false: "yes"}[s.NoCatchUp] + "\n\n[Install]\nWantedBy=timers.target\n"
}

// service returns the service that the timer starts.
func (h Host) service(s *schedule.Schedule) string {
	text := mark + "[Unit]\nDescription=" + escaped("Backups: "+s.Title()) + `
After=network-online.target redis-server.service redis.service rclone-gateway-redis.service rclone-gateway.service
Wants=network-online.target

[Service]
Type=oneshot
`
	if delay := s.Delay(); delay > 0 {
		text += fmt.Sprintf("ExecStartPre=/bin/sleep %d\n", int(delay.Seconds()))
	}
	run := []string{"scheduler", "--once", s.ID}
	if h.Module != "" {
		run = []string{"module-backup", s.ID}
	}
	return text + "ExecStart=" + h.command(run...) + `
# It is paused: that is in the history.
SuccessExitStatus=17
TimeoutStartSec=infinity
TimeoutStopSec=5min
KillMode=mixed
StateDirectory=rclone-gateway-runs
CacheDirectory=rclone-gateway-runs
Nice=10
`
}

func (h Host) command(args ...string) string {
	words := []string{quoted(h.Program)}
	if h.EnvFile != "" {
		words = append(words, "--env-file", quoted(h.EnvFile))
	}
	for _, arg := range args {
		words = append(words, quoted(arg))
	}
	return strings.Join(words, " ")
}

// escaped escapes specifiers and control characters in a text.
func escaped(text string) string {
	return strings.ReplaceAll(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.TrimRight(text, `\ `)), "%", "%%")
}

// quoted quotes an argument for a command line in a unit file.
func quoted(word string) string {
	word = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$").Replace(word)
	if strings.ContainsAny(word, " \t'\";") {
		return `"` + word + `"`
	}
	return word
}

// Change lists what an installation changed, by sorted unit names.
type Change struct{ Written, Removed []string }

// Write writes the changed files, and returns the units of removed schedules.
func (h Host) Write(files map[string]string) (Change, error) {
	var c Change
	for name, text := range files {
		path := filepath.Join(h.Dir, name)
		old, err := os.ReadFile(path)
		switch {
		case err == nil && string(old) == text:
			continue
		case err == nil && !bytes.HasPrefix(old, []byte(mark)):
			return c, exit.Failf(exit.Conflict, "%s was not written by this program: move it away first", path)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return c, fmt.Errorf("read a unit: %w", err)
		}
		if err := atomicfile.Write(path, []byte(text), 0o644); err != nil {
			return c, fmt.Errorf("write a unit: %w", err)
		}
		c.Written = append(c.Written, name)
	}
	old, err := h.old(files)
	c.Removed = old
	slices.Sort(c.Written)
	return c, err
}

// old returns the units of removed schedules. Their files stay until they are stopped.
func (h Host) old(files map[string]string) ([]string, error) {
	entries, err := os.ReadDir(h.Dir)
	if err != nil {
		return nil, fmt.Errorf("read the units: %w", err)
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if !h.owns(name) || files[name] != "" || filepath.Ext(name) != ".timer" && filepath.Ext(name) != ".service" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(h.Dir, name))
		if err == nil && bytes.HasPrefix(text, []byte(mark)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
