package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// hostNameLimit is the kernel's limit.
const hostNameLimit = 64

// lockHost returns the host name for the containers of a run: its ID, up to the first dot.
// It includes the node's name for people who list locks.
func lockHost(runID, node string) string {
	name := runID + "." + node
	return strings.TrimRight(name[:min(len(name), hostNameLimit)], "-.")
}

// nodeName returns this machine's host name, up to the first dot.
func nodeName() (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("the node's name: %w", err)
	}
	name, _, _ = strings.Cut(name, ".")
	return name, nil
}

// staleLocks removes locks that nobody holds.
type staleLocks struct {
	restic restic.Invocation
	probe  run.Probe
	dead   []*runNote // runs without any restic left
	// lockers are runs elsewhere that ended without releasing their lease. A restic of
	// theirs may be left, without access to its gateway.
	lockers []string
	// fresh is true if a lock of such a run was kept, because it may be alive.
	fresh bool
}

// lockFile is the content of a lock.
type lockFile struct {
	Hostname string `json:"hostname"`
	PID      int    `json:"pid"`
}

// remove removes the locks of those runs, and those that restic considers stale.
func (l *staleLocks) remove(ctx context.Context) error {
	if err := l.unlock(ctx); err != nil {
		return err
	}
	ids, err := l.list(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		errs = append(errs, l.removeIfDead(ctx, id))
	}
	return errors.Join(errs...)
}

// unlock removes the locks that restic considers stale, and no others.
func (l *staleLocks) unlock(ctx context.Context) error {
	return run.ResticError(l.restic.Repository, l.restic.With("unlock").Run(ctx, restic.Streams{}))
}

var lockID = regexp.MustCompile(`(?m)^[0-9a-f]{64}$`)

func (l *staleLocks) list(ctx context.Context) ([]string, error) {
	var output bytes.Buffer
	if err := l.restic.With("list", "locks", "--no-lock").Run(ctx, restic.Streams{Stdout: &output}); err != nil {
		return nil, run.ResticError(l.restic.Repository, err)
	}
	return lockID.FindAllString(output.String(), -1), nil
}

// removeIfDead removes the lock if its holder is gone.
func (l *staleLocks) removeIfDead(ctx context.Context, id string) error {
	object := "locks/" + id
	// Other locks come and go, and restic retries for long if one has been removed.
	if l.hasGone(ctx, object) {
		return nil
	}
	var output bytes.Buffer
	if err := l.restic.With("cat", "lock", id, "--no-lock").Run(ctx, restic.Streams{Stdout: &output}); err != nil {
		if l.hasGone(ctx, object) {
			return nil
		}
		return run.ResticError(l.restic.Repository, err)
	}
	var lock lockFile
	if err := json.Unmarshal(output.Bytes(), &lock); err != nil {
		return fmt.Errorf("read lock %s: %w", id, err)
	}
	if !l.isDead(lock) && !l.isAbandoned(ctx, object, lock) {
		return nil
	}
	status, err := l.probe.Request(ctx, http.MethodDelete, l.restic.Repository, object)
	if err != nil {
		return fmt.Errorf("remove lock %s: %w", id, err)
	}
	if status != http.StatusOK && status != http.StatusNotFound {
		return fmt.Errorf("remove lock %s: the gateway answers %d %s", id, status, http.StatusText(status))
	}
	return nil
}

// hasGone reports whether the lock provably does not exist.
func (l *staleLocks) hasGone(ctx context.Context, object string) bool {
	status, err := l.probe.Request(ctx, http.MethodHead, l.restic.Repository, object)
	return err == nil && status == http.StatusNotFound
}

// isDead reports whether the lock's holder is gone. A container is identified by its host
// name. A native restic on this host is dead if the kernel does not know the process, or if
// it is a zombie: restic itself, which probes with a signal, takes a zombie for alive. A
// restic of a dead run is gone too if its machine or container was restarted: the host name
// differs, or another program has the process ID.
func (l *staleLocks) isDead(lock lockFile) bool {
	if l.restic.Runtime == restic.Podman {
		run, _, _ := strings.Cut(lock.Hostname, ".")
		return slices.ContainsFunc(l.dead, func(n *runNote) bool { return n.id == run })
	}
	host, err := os.Hostname()
	if err != nil {
		return false
	}
	program := ""
	if lock.Hostname == host {
		var alive bool
		if program, alive = programOf(lock.PID); !alive {
			return true
		}
	}
	locker := process{lock.Hostname, lock.PID}
	return program != "restic" && slices.ContainsFunc(l.dead, func(n *runNote) bool { return slices.Contains(n.processes, locker) })
}

// refreshed is longer than the five minutes after which restic rewrites its own lock.
const refreshed = 7 * time.Minute

// isAbandoned reports whether a lock belongs to a run that ended without releasing its
// lease, and no restic refreshes it.
func (l *staleLocks) isAbandoned(ctx context.Context, object string, lock lockFile) bool {
	if !slices.Contains(l.lockers, lock.Hostname) && !slices.Contains(l.lockers, fmt.Sprintf("%s %d", lock.Hostname, lock.PID)) {
		return false
	}
	age, known := l.probe.Age(ctx, l.restic.Repository, object)
	if !known || age < refreshed {
		l.fresh = true
		return false
	}
	return true
}

// programOf returns the name of the program of a process or a thread (proc(5),
// /proc/pid/stat), and whether it lives; a zombie does not. The name is unknown if /proc
// hides other users' processes.
func programOf(pid int) (name string, alive bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
	}
	_, named, _ := strings.Cut(string(status), " (")
	afterName := strings.LastIndex(named, ") ") // the name may contain anything
	if afterName < 0 {
		return "", true
	}
	return named[:afterName], !strings.HasPrefix(named[afterName:], ") Z")
}
