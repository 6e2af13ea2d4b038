package units

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

func planned(id, name, when string) schedule.Planned {
	return schedule.Planned{Schedule: schedule.Schedule{ID: id, Name: name, Destination: "d", When: when, Enabled: true, Plan: schedule.DefaultPlan()}, Here: []string{"app1"}}
}

// TestSystemdTakesTheUnits has systemd look at all units, with names that are made to break
// them.
func TestSystemdTakesTheUnits(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		testenv.Missing(t, "no systemd-analyze: install systemd")
	}
	gatewayctl := filepath.Join(t.TempDir(), "my gatewayctl")
	if err := os.WriteFile(gatewayctl, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h := Host{Dir: t.TempDir(), Program: gatewayctl, EnvFile: "/etc/100% mine/node.env", Notify: true}
	late := planned("3", "100% \\", "Mon..Fri 02:30")
	late.TimeZone, late.RandomDelay, late.NoCatchUp = "Europe/Rome", time.Hour, true
	files, err := h.Files([]schedule.Planned{planned("1", "nightly", "daily"), planned("2", "a\n[Service]\nExecStart=/bin/evil", "*:0/15 UTC"), late, planned("4", "wrong", "dayly")})
	if err != nil {
		t.Fatal(err)
	}
	change, err := h.Write(files)
	if err != nil {
		t.Fatal(err)
	}
	if len(change.Written) != 10 || len(change.Removed) != 0 {
		t.Errorf("it was changed: %+v", change)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	args := []string{"verify", "--man=no"}
	for _, name := range change.Written {
		args = append(args, filepath.Join(h.Dir, name))
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+h.Dir+":", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "Failed to initialize") || strings.Contains(string(out), "Failed to create manager") {
		testenv.Missing(t, "systemd-analyze verify does not work here: %s", out)
	}
	if err != nil || strings.Contains(string(out), prefix) || strings.Contains(string(out), syncName) || strings.Contains(string(out), notifyName) {
		t.Errorf("systemd says of the units: %v\n%s", err, out)
	}
	for name, want := range map[string]string{
		prefix + "1.timer":   "OnCalendar=*-*-* 00:00:00\nAccuracySec=1s\nPersistent=yes\n",
		prefix + "2.timer":   "OnCalendar=*-*-* *:00/15:00 UTC\n",
		prefix + "3.timer":   "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00 Europe/Rome\nAccuracySec=1s\nPersistent=no\n",
		prefix + "3.service": "ExecStartPre=/bin/sleep ",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s has no %q:\n%s", name, want, files[name])
		}
	}
}

func TestUnitsAreKeptInStepAndOthersAreNotTouched(t *testing.T) {
	t.Parallel()
	h := Host{Dir: t.TempDir(), Program: "/usr/bin/gatewayctl", EnvFile: "/etc/node.env"}
	write := func(schedules ...schedule.Planned) Change {
		t.Helper()
		files, err := h.Files(schedules)
		if err != nil {
			t.Fatal(err)
		}
		change, err := h.Write(files)
		if err != nil {
			t.Fatal(err)
		}
		return change
	}
	for _, name := range []string{"backup1.timer", "backup1.service", prefix + "9.timer"} { // NethServer 8's, and somebody's own
		if err := os.WriteFile(filepath.Join(h.Dir, name), []byte("[Timer]\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(planned("1", "a", "daily"), planned("2", "b", "daily"))
	if again := write(planned("1", "a", "daily"), planned("2", "b", "daily")); len(again.Written)+len(again.Removed) > 0 {
		t.Errorf("the same again changes %+v", again)
	}
	h.Notify = true
	if told := write(planned("1", "a", "daily"), planned("2", "b", "daily")); !slices.Equal(told.Written, []string{notifyName + ".service", notifyName + ".timer"}) {
		t.Errorf("a file of channels writes %v", told.Written)
	}
	h.Notify = false
	if gone := write(planned("1", "a", "daily"), planned("2", "b", "daily")).Removed; !slices.Equal(gone, []string{notifyName + ".service", notifyName + ".timer"}) {
		t.Errorf("without one it removes %v", gone)
	}
	for _, ext := range []string{".service", ".timer"} {
		if err := os.Remove(filepath.Join(h.Dir, notifyName+ext)); err != nil {
			t.Fatal(err)
		}
	}
	changed := write(planned("1", "a", "hourly"))
	if want := []string{prefix + "1.timer"}; !slices.Equal(changed.Written, want) {
		t.Errorf("another time writes %v", changed.Written)
	}
	if want := []string{prefix + "2.service", prefix + "2.timer"}; !slices.Equal(changed.Removed, want) {
		t.Errorf("a schedule that is gone removes %v", changed.Removed)
	}
	files, err := h.Files([]schedule.Planned{planned("9", "mine", "daily")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Write(files); err == nil || !strings.Contains(err.Error(), "was not written by this program") {
		t.Errorf("somebody's own unit: %v", err)
	}
	if _, err := h.Files([]schedule.Planned{planned("../x", "", "daily")}); err == nil {
		t.Error("an ID that is a path is taken")
	}
	if text, err := os.ReadFile(filepath.Join(h.Dir, "backup1.timer")); err != nil || string(text) != "[Timer]\n" {
		t.Errorf("NethServer 8's own timer is %q, %v", text, err)
	}
}

// TestUnitsOfModulesAreApart has those of a node and of modules, of which one begins with the
// name of the other, in one directory.
func TestUnitsOfModulesAreApart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	all := []Host{{Dir: dir, Program: "/usr/bin/gatewayctl"}}
	for _, id := range []string{"app", "app-1"} {
		all = append(all, Host{Dir: dir, Program: "/usr/bin/gatewayctl", EnvFile: "/srv/" + id + "/etc/module.env", Module: id})
	}
	for _, h := range all {
		files, err := h.Files([]schedule.Planned{planned("1", "nightly", "daily")})
		if err != nil {
			t.Fatal(err)
		}
		change, err := h.Write(files)
		if err != nil || len(change.Written) != 4 || len(change.Removed) > 0 {
			t.Errorf("of module %q %+v: %v", h.Module, change, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "rclone-gateway-module-app-1.1.service"))
	if want := "ExecStart=/usr/bin/gatewayctl --env-file /srv/app-1/etc/module.env module-backup 1\n"; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("the service lacks %q: %v\n%s", want, err, text)
	}
	for _, h := range all {
		files, err := h.Files(nil)
		if err != nil {
			t.Fatal(err)
		}
		change, err := h.Write(files)
		if err != nil || len(change.Written) > 0 || len(change.Removed) != 2 {
			t.Errorf("of module %q, whose schedule is gone, %+v: %v", h.Module, change, err)
		}
	}
}
