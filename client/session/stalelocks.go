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

// hostNameLimit is the kernel's.
const hostNameLimit = 64

// lockHost is the host name of the containers of a run: its ID, up to the first dot.
// It names the node too, because people read it where restic lists locks.
func lockHost(runID, node string) string {
	name := runID + "." + node
	return strings.TrimRight(name[:min(len(name), hostNameLimit)], "-.")
}

// nodeName is this machine's host name, up to the first dot.
func nodeName() (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("the node's name: %w", err)
	}
	name, _, _ = strings.Cut(name, ".")
	return name, nil
}

// staleLocks removes locks that nobody holds any more.
type staleLocks struct {
	restic restic.Invocation
	probe  run.Probe
	dead   []*runNote // of runs of which no restic is left
	// lockers are those of runs elsewhere that ended without releasing their lease, and of
	// which a restic may be left that has lost its gateway.
	lockers []string
	// fresh is true where a lock of such a run stays, since it may be alive.
	fresh bool
}

// lockFile is what restic writes into a lock.
type lockFile struct {
	Hostname string `json:"hostname"`
	PID      int    `json:"pid"`
}

// remove removes the locks of those runs, and the ones that restic takes for stale.
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

// unlock removes the locks that restic takes for stale, and no others.
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

// removeIfDead removes the lock if who made it is gone.
func (l *staleLocks) removeIfDead(ctx context.Context, id string) error {
	object := "locks/" + id
	// Others come and go, and restic asks for long for one that has gone.
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

// hasGone reports whether it is proven that the lock is not there.
func (l *staleLocks) hasGone(ctx context.Context, object string) bool {
	status, err := l.probe.Request(ctx, http.MethodHead, l.restic.Repository, object)
	return err == nil && status == http.StatusNotFound
}

// isDead reports whether who made the lock is gone. A container is known by its host
// name. A native restic, on this host, is one that the kernel does not know or that
// only waits for its parent to see it end: restic, which finds out by a signal, takes
// the latter for alive, and then its parent sees it. One of a dead run is gone too
// where a machine or a container has started again: it has another host name, or
// another program has the process ID.
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

// refreshed is longer than restic leaves a lock of its own without making it again, which
// is five minutes.
const refreshed = 7 * time.Minute

// isAbandoned reports whether a lock is that of a run which ended without releasing its
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

// programOf names the program of a process or a thread (proc(5), /proc/pid/stat), and
// reports whether it lives: one that has ended does not, whether or not its parent has
// seen that. The name is not known where /proc hides the processes of others.
func programOf(pid int) (name string, alive bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
	}
	_, named, _ := strings.Cut(string(status), " (")
	afterName := strings.LastIndex(named, ") ") // which may hold anything
	if afterName < 0 {
		return "", true
	}
	return named[:afterName], !strings.HasPrefix(named[afterName:], ") Z")
}
