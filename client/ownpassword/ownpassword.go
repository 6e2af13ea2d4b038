// Package ownpassword handles the repository passwords of modules that have their own. Such
// a password opens the module's repositories on every destination; Redis stores it by the
// module's UUID.
package ownpassword

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// All returns the passwords by module UUID, including those of removed modules.
func All(ctx context.Context, rdb redis.Cmdable) (map[string]string, error) {
	all, err := rdb.HGetAll(ctx, catalog.ModulePassword).Result()
	if err != nil {
		return nil, host.ReadError(catalog.ModulePassword, err)
	}
	return all, nil
}

// Of returns the password of the module with a UUID, "" if it has none.
func Of(ctx context.Context, rdb redis.Cmdable, uuid string) (string, error) {
	password, err := rdb.HGet(ctx, catalog.ModulePassword, uuid).Result()
	if host.IgnoreNil(err) != nil {
		return "", host.ReadError(catalog.ModulePassword, err)
	}
	return password, nil
}

// Valid reports whether restic accepts the password, which must be one line.
func Valid(password string) bool {
	return password != "" && !strings.ContainsAny(password, "\r\n\x00")
}

// FromFile reads the password that a flag names the file of; "-" is stdin, where somebody at a
// terminal is asked for what.
func FromFile(ctx context.Context, sys *host.System, flag, file, what string) (string, error) {
	password, err := sys.SecretFrom(ctx, file, what)
	if err == nil && !Valid(password) {
		err = exit.Failf(exit.Usage, "%s: there is no password in it, or it has more than one line", flag)
	}
	return password, err
}

// Import saves passwords that Redis does not have, and returns how many. Existing ones
// stay.
func Import(ctx context.Context, sys *host.System, rdb *redis.Client, passwords map[string]string) (int, error) {
	there, err := All(ctx, rdb)
	if err != nil {
		return 0, err
	}
	var lacking []string
	for _, uuid := range slices.Sorted(maps.Keys(passwords)) {
		switch saved, known := there[uuid]; {
		case !account.ValidUUID(uuid) || !Valid(passwords[uuid]):
			sys.Warnf("skipped the repository password of module %s: it is no UUID, or no password", host.Printable(uuid))
		case known && saved != passwords[uuid]:
			sys.Warnf("skipped the repository password of module %s: it has another one already, which stays", uuid)
		case !known:
			lacking = append(lacking, uuid)
		}
	}
	if len(lacking) == 0 {
		return 0, nil
	}
	what := fmt.Sprintf("import the repository passwords of %d modules", len(lacking))
	commands, err := rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, uuid := range lacking {
			p.HSetNX(ctx, catalog.ModulePassword, uuid, passwords[uuid])
		}
		sys.Changed(what).Write(ctx, p)
		return nil
	})
	if err := host.TransactionError(commands, err); err != nil {
		return 0, host.AdministrationError(sys.Env, rdb, what, err)
	}
	return len(lacking), nil
}
