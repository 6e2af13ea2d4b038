// Package statustest fills a Redis with modules, destinations and a history of runs, for
// tests of what is shown of them.
package statustest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// World is what a Redis is filled with: a schedule for each destination, with all modules.
type World struct {
	Modules, Destinations, Days int
	// Fine leaves out all that goes wrong.
	Fine bool
	Now  time.Time
}

// Admin is an administrator, whose password is redistest.Password(Admin).
const Admin = "admin/anna"

// LongName, RightToLeft and Markup are labels that modules have.
const (
	LongName    = "The shared calendar, address book and document archive of the department of long-distance logistics and procurement, second floor, Rotterdam"
	RightToLeft = "أرشيف البريد الإلكتروني"
	Markup      = `<b>"R&D"</b> 'files'`
)

// Module returns the module of a number, from 0 on.
func Module(i int) redistest.Module {
	app := []string{"mail", "nextcloud", "webtop", "dokuwiki"}[i%4]
	return redistest.Module{ID: app + strconv.Itoa(i+1), UUID: fmt.Sprintf("5d1e0e90-0000-4000-8000-%012d", i)}
}

// Path is the page of a module, below the page of all.
func Path(i int) string {
	m := Module(i)
	return strings.TrimRight(m.ID, "0123456789") + "/" + m.UUID
}

// Destination returns the ID of the destination of a number, from 0 on.
func Destination(i int) string { return fmt.Sprintf("0e5a17e0-0000-4000-8000-%012d", i) }

// Fill fills a Redis that [redistest.Server.SetupNS8] has set up.
func (w World) Fill(tb testing.TB, server *redistest.Server) {
	tb.Helper()
	ctx := tb.Context()
	server.Do("ACL", "SETUSER", Admin, "reset", "on", ">"+redistest.Password(Admin))
	server.SaveACLs()
	var modules []redistest.Module
	var ids []string
	for i := range w.Modules {
		modules = append(modules, Module(i))
		ids = append(ids, Module(i).ID)
	}
	if len(modules) > 0 {
		server.AddModules(modules...)
	}
	for i, label := range []string{"", LongName, RightToLeft, Markup} {
		if i < w.Modules && label != "" {
			server.Do("SET", catalog.ModuleUINameKey(Module(i).ID), label)
		}
	}
	names := []string{"NAS in the cellar", "Cloud", "Office in Rotterdam", "Tape robot"}
	root := tb.TempDir()
	for i := range w.Destinations {
		id := Destination(i)
		dir := filepath.Join(root, strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			tb.Fatal(err)
		}
		server.AddDestinations(redistest.Destination{
			ID: id, Name: fmt.Sprintf("%s %d", names[i%len(names)], i+1), Provider: "rclone", URL: "rclone:local:x:" + dir,
			BasePath: dir, RcloneConf: "[" + id + "]\ntype = local\n",
		})
		server.AddSchedule(redistest.Schedule{
			ID: strconv.Itoa(i + 1), Repository: id, Name: fmt.Sprintf("Every night %d", i+1), Schedule: "*-*-* 02:00:00", Instances: ids,
		})
	}
	_, err := server.Admin().Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range w.Modules {
			for j := range w.Destinations {
				for _, run := range w.Runs(i, j) {
					Write(tb, p, run)
				}
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// Write records a run as the node's commands do.
func Write(tb testing.TB, p redis.Pipeliner, run status.Run) {
	tb.Helper()
	text, err := json.Marshal(run)
	if err != nil {
		tb.Fatal(err)
	}
	p.XAdd(tb.Context(), &redis.XAddArgs{Stream: catalog.HistoryKey(run.Node, run.Schedule, run.Module), Values: []any{"run", text}})
	field := run.Module + " " + string(run.Kind)
	p.HSet(tb.Context(), catalog.LastRunsKey(run.Node, run.Schedule), field, text)
	if run.Outcome == status.Done {
		p.HSet(tb.Context(), catalog.LastRunsKey(run.Node, run.Schedule), field+" done", text)
	}
}

// Runs are those of a module at a destination, the oldest first: a backup each night, and
// sometimes a check and a drill.
func (w World) Runs(module, destination int) []status.Run {
	m := Module(module)
	last := w.Now.Add(-130 * time.Minute) // the day of the last night that is over
	var runs []status.Run
	for day := w.Days - 1; day >= 0; day-- {
		outcome := w.outcome(module, destination, day)
		if outcome == status.None {
			continue
		}
		planned := time.Date(last.Year(), last.Month(), last.Day(), 2, 0, 0, 0, time.Local).AddDate(0, 0, -day)
		run := status.Run{
			ID: planned.UTC().Format("20060102T150405Z") + "-" + strconv.Itoa(destination+1) + "-0a1b2c3d", Schedule: strconv.Itoa(destination + 1),
			Name: fmt.Sprintf("Every night %d", destination+1), Node: "1", Module: m.ID, UUID: m.UUID, Kind: status.Backup, Outcome: outcome,
			Planned: planned, Started: planned.Add(time.Duration(module) * time.Second), Ended: planned.Add(time.Duration(90+module) * time.Second),
			Destination: Destination(destination), Repository: Path(module), Snapshots: w.Days - day,
			Files: 1200, Bytes: uint64(3<<30 + (w.Days-day)<<26), Added: 1 << 26,
		}
		switch outcome {
		case status.Failed:
			run.Error, run.ExitStatus, run.Bytes, run.Added = "module-dump-state: the database does not answer: connection refused", 1, 0, 0
		case status.Partial:
			run.Missing = []string{"volumes/data/locked.db", "volumes/data/" + strings.Repeat("a-very-long-directory-name/", 4) + "file"}
		case status.Missed:
			run.Started, run.Bytes, run.Added = time.Time{}, 0, 0
		}
		runs = append(runs, run)
		if day == 3 {
			check := run
			check.Kind, check.Outcome, check.Error, check.Missing = status.Check, status.Done, "", nil
			check.Part, check.Parts, check.Ended = 4, 30, run.Ended.Add(time.Minute)
			drill := check
			drill.Kind, drill.Part, drill.Parts, drill.Detail = status.Drill, 0, 0, "compared 200 files with the source"
			if !w.Fine && module == 5 {
				drill.Outcome, drill.Error = status.Failed, "3 files differ from the source"
			}
			runs = append(runs, check, drill)
		}
	}
	return runs
}

// outcome spreads what goes wrong over modules and days.
func (w World) outcome(module, destination, day int) status.Outcome {
	mix := (module*31 + destination*17 + day*7) % 97
	switch {
	case w.Fine:
		return status.Done
	case module == 0 && destination == 0 && day <= 1:
		return status.Failed
	case module == 1 && day == 0:
		return status.Partial
	case module == 2 && day == 0:
		return status.Missed
	case day == 0:
		return status.Done
	case mix == 1:
		return status.Failed
	case mix == 2:
		return status.Partial
	case mix == 3:
		return status.Missed
	case mix == 4:
		return status.None
	}
	return status.Done
}
