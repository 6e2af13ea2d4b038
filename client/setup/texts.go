package setup

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/account"
)

// mark begins generated files, which a later setup may overwrite.
const mark = "# Written by \"gatewayctl setup\".\n"

// redisConf returns the configuration of the gateway's own Redis, which listens only on a
// unix socket.
func redisConf(l *layout) string {
	mode := "700"
	if l.services {
		mode = "770" // for the gateway's group
	}
	return mark + fmt.Sprintf(`# Redis of the backup gateway: on a socket alone, users in a file of their own, and each
# change written to disk within a second.
port 0
unixsocket %s
unixsocketperm %s
dir %s
aclfile %s
appendonly yes
daemonize no
`, l.socket, mode, l.redis, l.users())
}

// aclUsers returns the initial users of that Redis: an administrator. The default user must
// keep all permissions, since Redis 7.0 replays its append-only file as that user.
func aclUsers(password string) string {
	return "user default off resetpass ~* &* +@all\nuser admin on #" + account.Digest(password) + " ~* &* +@all\n"
}

// adminVariables returns the environment of administrators' commands.
func adminVariables(l *layout, password string) string {
	lines := append([]string{
		"REDIS_ADDRESS=" + l.socket, "REDIS_USER=admin", "REDIS_PASSWORD=" + password, "NS8_AGENT_ENV=" + l.nodeEnv(),
	}, l.ownVariables()...)
	return mark + strings.Join(lines, "\n") + "\n"
}

// ownVariables returns the variables that point commands at this layout instead of the
// system's directories.
func (l *layout) ownVariables() []string {
	if l.services {
		return nil
	}
	return []string{
		"GATEWAY_MODULES_DIR=" + filepath.Join(l.config, "modules.d"), "GATEWAYCTL_STATE_DIR=" + filepath.Join(l.config, "runs"),
		"NS8_GATEWAY_URL=http://" + l.address,
	}
}

// gatewayVariables returns the variables that the gateway's unit reads after its own file.
func gatewayVariables(l *layout) string {
	return mark + "REDIS_ADDRESS=" + l.socket + "\nREDIS_USER=node/1\nNODE_ID=1\n"
}

// dropIn returns the drop-in that makes the gateway's unit use that Redis.
func dropIn(l *layout) string {
	return mark + `[Unit]
Wants=` + redisUnit + `
After=` + redisUnit + `

[Service]
EnvironmentFile=` + filepath.Join(l.config, "setup.env") + "\n"
}

// writable returns the drop-in that lets the gateway's unit write to a directory.
func writable(dir string) string {
	return mark + "[Unit]\nRequiresMountsFor=" + unitPath(dir) + "\n\n[Service]\nReadWritePaths=" + unitPath(dir) + "\n"
}

// unitPath escapes a path for a unit file.
func unitPath(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(path) + `"`
}

// startScript returns the script that starts what is not running. A lock, held as long as
// the program runs, shows that; a killed program leaves none behind.
func startScript(l *layout, program string) string {
	return `#!/bin/sh
` + mark + `# Starts Redis, the gateway and the scheduler, or those that are named, unless they run.
set -eu
cd ` + shellWord(l.config) + `
run() { # NAME COMMAND…
  name=$1
  shift
  flock --nonblock "$name.lock" true || return 0
  setsid flock --nonblock --no-fork "$name.lock" "$@" </dev/null >>"$name.log" 2>&1 &
  echo $! >"$name.pid"
}
for name in ${*:-redis gateway scheduler}; do
  case $name in
  redis) run redis redis-server redis.conf ;;
  gateway) run gateway rclone-gateway --env-file node.env serve --addr ` + shellWord(l.address) + ` --state-dir state ;;
  scheduler) run scheduler ` + shellWord(program) + ` --env-file node.env scheduler ;;
  *) echo "start: $name is neither redis, gateway nor scheduler" >&2; exit 2 ;;
  esac
done
`
}

// stopScript returns the script that stops everything in reverse order, and waits.
func stopScript(l *layout) string {
	return `#!/bin/sh
` + mark + `# Stops the scheduler, the gateway and Redis, or those that are named, and waits for them.
set -eu
cd ` + shellWord(l.config) + `
for name in ${*:-scheduler gateway redis}; do
  [ -f "$name.pid" ] || continue
  if ! flock --nonblock "$name.lock" true; then
    kill "$(cat "$name.pid")"
    flock "$name.lock" true
  fi
  rm -f "$name.pid"
done
`
}

// shellWord quotes a word for a shell if necessary.
func shellWord(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:=@,+[]") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
