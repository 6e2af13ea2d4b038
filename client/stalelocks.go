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
// lock of that name belongs to nobody.

// hostNameLimit is the kernel's.
const hostNameLimit = 64

// backupHost is the host name of the containers in which a node backs a module
// up. It names the node, because people read it where restic tells of locks.
func backupHost(moduleID, node string) string {
	name := "backup-" + moduleID + "." + node
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

// backupLabel marks the containers of a module's backups.
func backupLabel(moduleID string) string { return "module-backup=" + moduleID }

// removeStaleLocks removes the locks of backups that were killed, and those that
// restic takes for stale. The module's lock must be held, and no container of an
// earlier backup may run.
func (j *backupJob) removeStaleLocks(ctx context.Context) error {
	if err := j.unlock(ctx); err != nil {
		return err
	}
	if j.plan.restic.Runtime != restic.Podman {
		return nil
	}
	ids, err := j.listLocks(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		errs = append(errs, j.removeOwnLock(ctx, id))
	}
	return errors.Join(errs...)
}

// unlock removes the locks that restic takes for stale, and no others.
func (j *backupJob) unlock(ctx context.Context) error {
	return resticError(j.plan.restic.Repository, j.plan.restic.With("unlock").Run(ctx, restic.Streams{}))
}

var lockID = regexp.MustCompile(`(?m)^[0-9a-f]{64}$`)

func (j *backupJob) listLocks(ctx context.Context) ([]string, error) {
	var output bytes.Buffer
	if err := j.plan.restic.With("list", "locks", "--no-lock").Run(ctx, restic.Streams{Stdout: &output}); err != nil {
		return nil, resticError(j.plan.restic.Repository, err)
	}
	return lockID.FindAllString(output.String(), -1), nil
}

// removeOwnLock removes the lock if a container of this module's backups made it.
func (j *backupJob) removeOwnLock(ctx context.Context, id string) error {
	var output bytes.Buffer
	if err := j.plan.restic.With("cat", "lock", id, "--no-lock").Run(ctx, restic.Streams{Stdout: &output}); err != nil {
		return resticError(j.plan.restic.Repository, err)
	}
	var lock struct {
		Hostname string `json:"hostname"`
	}
	if err := json.Unmarshal(output.Bytes(), &lock); err != nil {
		return fmt.Errorf("read lock %s: %w", id, err)
	}
	if lock.Hostname != j.plan.lockHost {
		return nil
	}
	status, err := j.probe.request(ctx, http.MethodDelete, j.plan.restic.Repository, "locks/"+id)
	if err != nil {
		return fmt.Errorf("remove lock %s: %w", id, err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("remove lock %s: the gateway answers %d %s", id, status, http.StatusText(status))
	}
	return nil
}
