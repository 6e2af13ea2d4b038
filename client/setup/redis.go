package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// makeRedis writes the files for Redis, starts it, and logs in.
func (s *setup) makeRedis(ctx context.Context) (string, error) {
	l := &s.layout
	if err := os.MkdirAll(l.config, 0o755); err != nil { //nolint:gosec // the files in it that are secret are their owner's alone
		return "", fmt.Errorf("make the directory of the configuration: %w", err)
	}
	password, err := s.adminPassword()
	if err != nil {
		return "", err
	}
	if err := s.writeRedis(password); err != nil {
		return "", err
	}
	if l.services {
		err = s.other(ctx, "systemctl", "enable", "--now", redisUnit)
	} else {
		err = s.startRedis(ctx)
	}
	if err != nil {
		return "", err
	}
	err = until(ctx, func(ctx context.Context) error {
		rdb, err := host.ConnectRedis(ctx, redisconn.Config{Address: l.socket}, host.Credentials{User: "admin", Password: password})
		if err != nil {
			return err
		}
		return rdb.Close()
	})
	return "its configuration is " + l.redisConf() + ", its administrator's environment " + l.adminEnv(), err
}

// adminPassword returns the password of Redis' administrator, from an earlier setup or
// generated.
func (s *setup) adminPassword() (string, error) {
	l := &s.layout
	_, errUsers := os.Stat(l.users())
	text, err := os.ReadFile(l.adminEnv())
	switch {
	case err == nil:
		vars := envfile.Parse(text)
		if vars["REDIS_ADDRESS"] != l.socket || vars["REDIS_PASSWORD"] == "" {
			return "", exit.Failf(exit.Conflict, "%s is there and not of a Redis at %s: move it away", l.adminEnv(), l.socket)
		}
		return vars["REDIS_PASSWORD"], nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read the environment of the administrator: %w", err)
	case errUsers == nil:
		return "", exit.Failf(exit.Conflict, "%s is missing, which has the password of user admin in %s: bring it back, or give that user another password there", l.adminEnv(), l.users())
	}
	password := host.NewPassword()
	return password, writeFile(l.adminEnv(), adminVariables(l, password), 0o600)
}

// writeRedis writes the configuration, and the users if Redis has none.
func (s *setup) writeRedis(password string) error {
	l := &s.layout
	if err := writeFile(l.redisConf(), redisConf(l), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(l.redis, 0o700); err != nil {
		return fmt.Errorf("make the directory of Redis: %w", err)
	}
	if _, err := os.Stat(l.users()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeFile(l.users(), aclUsers(password), 0o600); err != nil {
		return err
	}
	if !l.services {
		return nil
	}
	return errors.Join(giveTo(redisUser, l.redis), giveTo(redisUser, l.users()))
}

// startRedis writes the scripts that start and stop everything, and starts Redis.
func (s *setup) startRedis(ctx context.Context) error {
	l := &s.layout
	for name, text := range map[string]string{"start": startScript(l, s.program), "stop": stopScript(l)} {
		if err := writeFile(l.script(name), text, 0o700); err != nil {
			return err
		}
	}
	return s.other(ctx, l.script("start"), "redis")
}
