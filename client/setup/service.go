package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// dropInDir holds this host's settings for the gateway's unit.
const dropInDir = "/etc/systemd/system/rclone-gateway.service.d"

// startGatewayUnit points the gateway's unit at its own Redis, and starts it.
func (s *setup) startGatewayUnit(ctx context.Context) (string, error) {
	l := &s.layout
	if err := os.MkdirAll(dropInDir, 0o755); err != nil { //nolint:gosec // as systemd has it
		return "", fmt.Errorf("make the directory of drop-ins: %w", err)
	}
	if err := errors.Join(
		writeFile(filepath.Join(l.config, "setup.env"), gatewayVariables(l), 0o644),
		writeFile(filepath.Join(dropInDir, "setup.conf"), dropIn(l), 0o644),
	); err != nil {
		return "", err
	}
	if err := s.other(ctx, "systemctl", "daemon-reload"); err != nil {
		return "", err
	}
	if err := s.other(ctx, "systemctl", "enable", "--now", "rclone-gateway.socket"); err != nil {
		return "", err
	}
	if err := s.other(ctx, "systemctl", "enable", "rclone-gateway.service"); err != nil {
		return "", err
	}
	if err := s.other(ctx, "systemctl", "restart", "rclone-gateway.service"); err != nil {
		return "", err
	}
	return "it serves, with " + filepath.Join(l.config, "setup.env"), s.awaitGateway(ctx)
}

// giveDirectory creates a directory for the gateway's user, and lets its unit write there.
func (s *setup) giveDirectory(ctx context.Context, dir string) error {
	for _, hidden := range []string{"/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"} {
		if strings.HasPrefix(dir+"/", hidden) {
			return exit.Failf(exit.Usage, "--to %s: the service of the gateway does not see %s: choose a place elsewhere, such as /srv/backups", dir, strings.TrimSuffix(hidden, "/"))
		}
	}
	if err := ownDirectory(dir); err != nil {
		return err
	}
	unit, err := exec.CommandContext(ctx, "systemd-escape", "--path", dir).Output()
	if err != nil {
		return fmt.Errorf("systemd-escape: %w", err)
	}
	if err := writeFile(filepath.Join(dropInDir, "setup-"+strings.TrimSpace(string(unit))+".conf"), writable(dir), 0o644); err != nil {
		return err
	}
	if err := s.other(ctx, "systemctl", "daemon-reload"); err != nil {
		return err
	}
	if err := s.other(ctx, "systemctl", "restart", "rclone-gateway.service"); err != nil {
		return err
	}
	return s.awaitGateway(ctx)
}

// ownDirectory creates a directory for the gateway's user, or takes over an empty one. It
// refuses a directory with files of others.
func ownDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of backups: %w", err)
	}
	uid, _, err := idsOf(gatewayUser)
	if err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) == uid {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != "lost+found" {
			return exit.Failf(exit.Conflict, "--to %s holds files and is not of user %s: take an empty directory, or give it to that user with chown -R", dir, gatewayUser)
		}
	}
	return giveTo(gatewayUser, dir)
}

// idsOf returns the user and group ID of a system user.
func idsOf(name string) (uid, gid int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, exit.Failf(exit.Failed, "there is no user %s, whom the package makes: %w", name, err)
	}
	uid, errUser := strconv.Atoi(u.Uid)
	gid, errGroup := strconv.Atoi(u.Gid)
	return uid, gid, errors.Join(errUser, errGroup)
}

// giveTo changes the owner of a file.
func giveTo(name, path string) error {
	uid, gid, err := idsOf(name)
	if err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}
