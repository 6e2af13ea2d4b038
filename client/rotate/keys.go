package rotate

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"regexp"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/inventory"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/resticpassword"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// keyring manages the keys of one repository.
type keyring struct {
	sys     *host.System
	gateway inventory.Gateway
	path    string // DESTINATION/APP/UUID
	command restic.Invocation
	wait    *run.Waiting
}

var keyName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// mostKey bounds the size of a key file.
const mostKey = 64 << 10

// opening returns the IDs of the keys that a password opens.
func (k *keyring) opening(ctx context.Context, password string) ([]string, error) {
	entries, err := k.gateway.List(ctx, k.path+"/keys")
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if e.Dir || !keyName.MatchString(e.Name) {
			continue
		}
		key, err := k.gateway.Read(ctx, k.path+"/keys/"+e.Name, mostKey)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		if opens, err := resticpassword.Opens(key, password); err == nil && opens {
			ids = append(ids, e.Name)
		}
	}
	return ids, nil
}

// errForeign says that neither password opens a repository.
var errForeign = errors.New("it opens neither with the old password nor with the new one")

// add ensures and verifies that the new password opens the repository.
func (k *keyring) add(ctx context.Context, p passwords) error {
	there, err := k.opening(ctx, p.New)
	if err != nil {
		return err
	}
	if len(there) == 0 {
		old, err := k.opening(ctx, p.Old)
		if err != nil {
			return err
		}
		if len(old) == 0 {
			return errForeign
		}
		// Stdin keeps the password out of files and arguments.
		if err := k.run(ctx, p.Old, p.New+"\n", "key", "add", "--new-password-file=/dev/stdin"); err != nil {
			return err
		}
	}
	return k.prove(ctx, p.New)
}

// prove lets restic open the repository.
func (k *keyring) prove(ctx context.Context, password string) error {
	return k.run(ctx, password, "", "cat", "config", "--no-lock")
}

// replace ensures that only the new password opens the repository.
func (k *keyring) replace(ctx context.Context, p passwords) error {
	if err := k.add(ctx, p); err != nil {
		return err
	}
	return k.remove(ctx, p)
}

// remove removes the keys of the old password. The caller has just verified the new one.
func (k *keyring) remove(ctx context.Context, p passwords) error {
	old, err := k.opening(ctx, p.Old)
	if err != nil || len(old) == 0 {
		return err
	}
	for _, id := range old {
		if err := k.run(ctx, p.New, "", "key", "remove", id); err != nil {
			return err
		}
	}
	return nil
}

// run runs restic with a password. A failure includes restic's output.
func (k *keyring) run(ctx context.Context, password, stdin string, args ...string) error {
	command := k.command
	command.Repository.Key = password
	if command.Version.Has(restic.RetryLockVersion) && args[0] == "key" {
		args = append([]string{k.wait.ResticFlag()}, args...)
	}
	command = command.With(args...)
	err := k.wait.ForLock(ctx, k.sys, command, func() error {
		return command.Run(ctx, restic.Streams{Stdin: strings.NewReader(stdin), Stdout: new(bytes.Buffer)})
	})
	return run.ResticError(command.Repository, err)
}
