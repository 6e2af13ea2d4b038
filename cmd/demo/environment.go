package main

import (
	"os"
	"slices"
	"strings"
)

// foreign are the beginnings of variables that say where somebody's own Redis, gateway
// and repositories are. The demo has its own.
var foreign = []string{
	"REDIS_", "RESTIC_", "NS8_", "GATEWAY_", "AGENT_", "MODULE_", "NODE_ID=", "IMAGE_URL=",
	"STATE_DIRECTORY=", "CACHE_DIRECTORY=", "LISTEN_", "NOTIFY_SOCKET=", "WATCHDOG_", "RCLONE_",
}

// cleanEnvironment is the process's environment without what a shell exports for
// another gateway.
func cleanEnvironment() []string { return withoutForeign(os.Environ()) }

func withoutForeign(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(assignment string) bool {
		return slices.ContainsFunc(foreign, func(prefix string) bool { return strings.HasPrefix(assignment, prefix) })
	})
}
