package main

import (
	"os"
	"slices"
	"strings"
)

// foreign are prefixes of variables that may point to a real Redis, gateway or repository.
// The demo has its own.
var foreign = []string{
	"REDIS_", "RESTIC_", "NS8_", "GATEWAY_", "AGENT_", "MODULE_", "NODE_ID=", "IMAGE_URL=",
	"STATE_DIRECTORY=", "CACHE_DIRECTORY=", "LISTEN_", "NOTIFY_SOCKET=", "WATCHDOG_", "RCLONE_",
}

// cleanEnvironment returns the environment without those variables.
func cleanEnvironment() []string { return withoutForeign(os.Environ()) }

func withoutForeign(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(assignment string) bool {
		return slices.ContainsFunc(foreign, func(prefix string) bool { return strings.HasPrefix(assignment, prefix) })
	})
}
