package accounts

import (
	"context"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
)

// accounts is an administrator's access to the nodes, modules and users in Redis.
type accounts struct{ *registry.Registry }

// withAccounts runs do with an administrator's connection.
func withAccounts(ctx context.Context, sys *host.System, do func(*accounts) error) error {
	return registry.With(ctx, sys, func(r *registry.Registry) error { return do(&accounts{r}) })
}

// notThere returns the error for a node or a module that does not exist.
func notThere(user string) error {
	kind, id, _ := strings.Cut(user, "/")
	return exit.Failf(exit.NotFound, "%s %s does not exist: see gatewayctl %[1]s list", kind, id)
}

// existsWithOther returns the error for a user that exists with another password.
func existsWithOther(user string) error {
	kind, id, _ := strings.Cut(user, "/")
	return exit.Failf(exit.Conflict, "%s %s exists already: give it a new password with gatewayctl %[1]s passwd %[2]s, or remove it first", kind, id)
}
