package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// step is a step of a setup.
type step struct {
	title string
	// undo is the command that undoes it.
	undo string
	// do performs it, and says what it did. Performing a step again changes nothing.
	do func(context.Context) (did string, err error)
}

// steps returns all steps, in order.
func (s *setup) steps() []step {
	l := &s.layout
	admin := programName + " --env-file " + shellWord(l.adminEnv())
	steps := []step{
		{"Redis of its own, at " + l.socket, s.undoService("redis", redisUnit) + "; rm -r " + shellWord(l.redis), s.makeRedis},
		{"node 1, whose gateway this is", admin + " node remove 1", s.makeNode},
		{"the gateway, at " + l.address, s.undoService("gateway", "rclone-gateway.socket rclone-gateway.service"), s.startGateway},
		{fmt.Sprintf("destination %q, tested", s.opts.name), admin + " destination remove " + shellWord(s.opts.name) + ", which leaves the backups where they are", s.makeDestination},
	}
	for _, m := range s.modules {
		steps = append(steps, step{
			"module " + m.name + ": " + m.dir, admin + " module remove " + m.name,
			func(ctx context.Context) (string, error) { return s.makeModule(ctx, m) },
		})
	}
	timers := programName + " --env-file " + shellWord(l.nodeEnv()) + " schedule install --remove"
	if !l.services {
		timers = s.undoService("scheduler", "")
	}
	steps = append(steps,
		step{"a schedule of all modules: " + s.opts.when, admin + " schedule remove " + scheduleID, s.makeSchedule},
		step{"what runs the schedule", timers, s.startScheduler})
	if s.opts.noBackup {
		return steps
	}
	steps = append(steps, step{"the first backup of all modules", "not needed: retention removes old backups", s.backUp})
	for _, m := range s.modules {
		steps = append(steps, step{
			"a test of the restore of " + m.name, "not needed: what was restored is removed again",
			func(ctx context.Context) (string, error) { return s.drill(ctx, m) },
		})
	}
	return steps
}

// undoService returns the command that stops a service for good.
func (s *setup) undoService(name, units string) string {
	if s.layout.services {
		return "systemctl disable --now " + units
	}
	return shellWord(s.layout.script("stop")) + " " + name
}

// startTimeout bounds how long a service may take to answer.
const startTimeout = time.Minute

// until retries until try succeeds, for up to startTimeout.
func until(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		}
	}
}

func (s *setup) makeNode(ctx context.Context) (string, error) {
	l := &s.layout
	args := []string{"node", "add", "--env-file", l.nodeEnv()}
	if l.services {
		// The gateway's unit gets the password as a credential of systemd.
		if err := keepPassword(l.nodePassword()); err != nil {
			return "", err
		}
		args = append(args, "--password-file", l.nodePassword())
	}
	if _, err := s.own(ctx, l.adminEnv(), append(args, "1")...); err != nil {
		return "", err
	}
	return "its environment is " + l.nodeEnv(), addLines(l.nodeEnv(), l.ownVariables())
}

// startGateway starts the gateway, and waits until it serves.
func (s *setup) startGateway(ctx context.Context) (string, error) {
	l := &s.layout
	if l.services {
		return s.startGatewayUnit(ctx)
	}
	if err := s.other(ctx, l.script("start"), "gateway"); err != nil {
		return "", err
	}
	return "it serves; its log is " + filepath.Join(l.config, "gateway.log"), s.awaitGateway(ctx)
}

// awaitGateway waits until the gateway is ready.
func (s *setup) awaitGateway(ctx context.Context) error {
	err := until(ctx, func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.layout.address+"/-/ready", http.NoBody)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != http.StatusOK {
			return errors.New("the gateway answers " + answer.Status)
		}
		return nil
	})
	if err == nil {
		return nil
	}
	log := "see its log, " + filepath.Join(s.layout.config, "gateway.log")
	if s.layout.services {
		log = "see journalctl -u rclone-gateway"
	}
	return exit.Failf(exit.Unreachable, "the gateway does not serve: %w: %s", err, log)
}

// makeDestination adds the destination, or tests the existing one.
func (s *setup) makeDestination(ctx context.Context) (string, error) {
	l := &s.layout
	var known []struct{ Name string }
	text, err := s.quiet(ctx, l.adminEnv(), "destination", "list", "--json")
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return "", fmt.Errorf("read the list of destinations: %w", err)
	}
	for _, d := range known {
		if d.Name == s.opts.name {
			_, err := s.own(ctx, l.adminEnv(), "destination", "check", s.opts.name)
			return "it was there, and works", err
		}
	}
	storage := s.opts.storage
	if s.opts.to != "" {
		if storage, err = s.makeDirectory(ctx); err != nil {
			return "", err
		}
	}
	if err := s.addDestination(ctx, &storage); err != nil {
		return "", err
	}
	return "a file was written there, read back and deleted", nil
}

// addDestination lets "destination add" ask for what is missing.
func (s *setup) addDestination(ctx context.Context, storage *storage) error {
	args := []string{"destination", "add", "--json", "--name", s.opts.name}
	if storage.provider != "" {
		args = append([]string{"destination", "add", "--json"}, storage.arguments(s.opts.name)...)
	}
	_, err := s.own(ctx, s.layout.adminEnv(), args...)
	return err
}

// makeDirectory creates the directory for backups, and its rclone section.
func (s *setup) makeDirectory(ctx context.Context) (storage, error) {
	dir := filepath.Clean(s.opts.to)
	if s.layout.services {
		if err := s.giveDirectory(ctx, dir); err != nil {
			return storage{}, err
		}
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return storage{}, fmt.Errorf("make the directory of backups: %w", err)
	}
	conf := filepath.Join(s.layout.config, "directory.conf")
	if err := writeFile(conf, "[directory]\ntype = local\n", 0o600); err != nil {
		return storage{}, err
	}
	return storage{provider: "rclone", conf: conf, basePath: dir, passwordFile: s.opts.storage.passwordFile}, nil
}

// makeModule adds a module that consists of one directory.
func (s *setup) makeModule(ctx context.Context, m module) (string, error) {
	l := &s.layout
	if err := os.MkdirAll(l.modules, 0o700); err != nil {
		return "", fmt.Errorf("make the directory of modules: %w", err)
	}
	if _, err := os.Stat(l.moduleEnv(m.name)); errors.Is(err, fs.ErrNotExist) {
		s.added = append(s.added, m)
	}
	_, err := s.own(ctx, l.adminEnv(), "module", "add", "--dir", l.moduleDir(m.name), "--volume", "data="+m.dir, "--env-file", l.moduleEnv(m.name), m.name)
	return "what is left out of its backups is in " + filepath.Join(l.moduleDir(m.name), "etc") + ", its environment in " + l.moduleEnv(m.name), err
}

// scheduleID returns the ID of the schedule for all modules.
const scheduleID = "1"

// kept is the retention of a new schedule.
var kept = []string{"--keep-daily", "7", "--keep-weekly", "4", "--keep-monthly", "6"}

// makeSchedule adds the schedule, and leaves an existing one unchanged.
func (s *setup) makeSchedule(ctx context.Context) (string, error) {
	l := &s.layout
	if _, err := s.quiet(ctx, l.adminEnv(), "schedule", "show", scheduleID); err == nil {
		return "it was there, and is as it was: change it with schedule alter", nil
	} else if coded, ok := errors.AsType[*exit.Error](err); !ok || coded.Code != exit.NotFound {
		return "", err
	}
	args := append([]string{"schedule", "add", "--id", scheduleID, "--name", "all", "--destination", s.opts.name, "--when", s.opts.when, "--all"}, kept...)
	_, err := s.own(ctx, l.adminEnv(), args...)
	return "it keeps 7 daily, 4 weekly and 6 monthly backups", err
}

// startScheduler starts what runs the schedule.
func (s *setup) startScheduler(ctx context.Context) (string, error) {
	l := &s.layout
	if l.services {
		_, err := s.own(ctx, l.nodeEnv(), "schedule", "install")
		return "systemd runs it", err
	}
	return "it runs it; its log is " + filepath.Join(l.config, "scheduler.log"), s.other(ctx, l.script("start"), "scheduler")
}

// backUp runs the schedule, so that the backups appear in the history.
func (s *setup) backUp(ctx context.Context) (string, error) {
	_, err := s.own(ctx, s.layout.nodeEnv(), "run-backup", "--backup", scheduleID)
	return "each module has a backup, and its repository was checked", err
}

// drill proves that the backup of a module can be restored.
func (s *setup) drill(ctx context.Context, m module) (string, error) {
	text, err := s.own(ctx, s.layout.nodeEnv(), "drill", m.name)
	for line := range strings.Lines(text) {
		s.sys.Notef("  %s", strings.TrimRight(line, "\n"))
	}
	return "its backup can be restored", err
}
