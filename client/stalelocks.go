package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// Restic takes a lock for stale when it is older than half an hour, or when it
// names this host and a process that is not alive. In a container restic is always
// process 1, and process 1 is alive in every other container too, so that plain
// unlock keeps the lock of a killed container, and prune fails. Therefore the
// containers of module-backup have a host name of their own: who holds the
// module's lock, and has ended what a killed backup left running, knows that a
// lock of that name belongs to nobody. It is the same with restore-module.
//
// A native restic that was killed is dead for whom asks the kernel, but for one who
// sends a signal to find out, as restic does, only when its new parent has seen it end.

// hostNameLimit is the kernel's.
const hostNameLimit = 64

// What a module's containers do: a part of their host names and labels.
const (
	doesBackup  = "backup"
	doesRestore = "restore"
)

// lockHost is the host name of the containers in which a node backs a module up,
// or restores it. It names the node, because people read it where restic tells of
// locks.
func lockHost(does, moduleID, node string) string {
	name := does + "-" + moduleID + "." + node
	return strings.TrimRight(name[:min(len(name), hostNameLimit)], "-.")
}

// lockLabel marks these containers.
func lockLabel(does, moduleID string) string { return "module-" + does + "=" + moduleID }

// ownContainer are podman's arguments that give a container its host name and its
// label.
func ownContainer(does, moduleID, node string) []string {
	return []string{"--hostname=" + lockHost(does, moduleID, node), "--label=" + lockLabel(does, moduleID)}
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
	probe  probe
	host   string // of the containers whose locks are ours; with Podman
}

// lockFile is what restic writes into a lock.
type lockFile struct {
	Hostname string `json:"hostname"`
	PID      int    `json:"pid"`
}

// remove removes the locks of runs that were killed, and those that restic takes
// for stale. The module's own lock must be held, and no container of an earlier
// run may run.
func (l staleLocks) remove(ctx context.Context) error {
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
func (l staleLocks) unlock(ctx context.Context) error {
	return resticError(l.restic.Repository, l.restic.With("unlock").Run(ctx, restic.Streams{}))
}

var lockID = regexp.MustCompile(`(?m)^[0-9a-f]{64}$`)

func (l staleLocks) list(ctx context.Context) ([]string, error) {
	var output bytes.Buffer
	if err := l.restic.With("list", "locks", "--no-lock").Run(ctx, restic.Streams{Stdout: &output}); err != nil {
		return nil, resticError(l.restic.Repository, err)
	}
	return lockID.FindAllString(output.String(), -1), nil
}

// removeIfDead removes the lock if he who made it is gone.
func (l staleLocks) removeIfDead(ctx context.Context, id string) error {
	var output bytes.Buffer
	if err := l.restic.With("cat", "lock", id, "--no-lock").Run(ctx, restic.Streams{Stdout: &output}); err != nil {
		return resticError(l.restic.Repository, err)
	}
	var lock lockFile
	if err := json.Unmarshal(output.Bytes(), &lock); err != nil {
		return fmt.Errorf("read lock %s: %w", id, err)
	}
	if !l.dead(lock) {
		return nil
	}
	status, err := l.probe.request(ctx, http.MethodDelete, l.restic.Repository, "locks/"+id)
	if err != nil {
		return fmt.Errorf("remove lock %s: %w", id, err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("remove lock %s: the gateway answers %d %s", id, status, http.StatusText(status))
	}
	return nil
}

func (l staleLocks) dead(lock lockFile) bool {
	if l.restic.Runtime == restic.Podman {
		return lock.Hostname == l.host
	}
	host, err := os.Hostname()
	return err == nil && lock.Hostname == host && isZombie(lock.PID)
}

// isZombie tells of a process that has ended, and whose parent has not seen it yet.
func isZombie(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	afterName := bytes.LastIndex(status, []byte(") ")) // which may hold anything
	return err == nil && afterName >= 0 && bytes.HasPrefix(status[afterName:], []byte(") Z"))
}
