# Functions for the scripts of the client's containers. A script sets $script to its name
# before it sources this file.
set -u
# The engine may reorder two streams; with one, the last message stays the last.
exec 2>&1
WAIT=${WAIT:-180}
errors=/tmp/errors

say() { echo "$script: $*"; }

# fail STATUS TEXT prints what failed as the last line.
fail() {
  status=$1
  shift
  echo "$script: FAILED: $*" >&2
  failed "$status" "$*"
  exit "$status"
}

# failed STATUS TEXT is called when a script fails; setup overrides it.
failed() { :; }

# step TEXT COMMAND... runs a command, or fails with its status and its last line.
step() {
  text=$1
  shift
  say "$text"
  "$@" 2>"$errors"
  status=$?
  if [ "$status" -ne 0 ]; then
    sed '$d' "$errors" >&2
    fail "$status" "$text: $(tail -n 1 "$errors")"
  fi
  cat "$errors" >&2
}

# retry TEXT COMMAND... repeats a command until it succeeds, for $WAIT seconds.
retry() {
  text=$1
  shift
  deadline=$(($(date +%s) + WAIT))
  until "$@" >/dev/null 2>"$errors"; do
    status=$?
    [ "$(date +%s)" -lt "$deadline" ] || fail "$status" "$text: waited $WAIT s: $(tail -n 1 "$errors")"
    sleep 0.2
  done
}

# need VARIABLE... fails if one is empty.
need() {
  for variable in "$@"; do
    eval "value=\${$variable:-}"
    [ -n "$value" ] || fail 2 "$variable is empty: give it a value in .env, or remove the line (see .env.example)"
  done
}

# check_wait fails if WAIT is not a number.
check_wait() {
  case $WAIT in *[!0-9]*) fail 2 "WAIT is \"$WAIT\": it must be a number of seconds" ;; esac
}

# as_module waits for setup, and loads the module's environment.
as_module() {
  need MODULE_ID
  check_wait
  # The engine creates a missing directory, which is empty.
  [ -e /srv/module/etc/state-include.conf ] ||
    fail 2 "there is no etc/state-include.conf in MODULE_DIR: it must be the module's directory, as the engine sees it"
  # Setup waits for several things in turn, needs time for its own work, and knows best
  # what failed.
  WAIT=$((4 * WAIT + 60))
  retry "setup is not done (docker compose logs setup says more)" test -e /run/status/ready -o -e /run/status/failed
  if [ -e /run/status/failed ]; then
    read -r status text </run/status/failed
    fail "$status" "setup: $text"
  fi
  # Variables of this container take precedence.
  given_user=${REDIS_USER:-} given_password=${REDIS_PASSWORD:-}
  set -a
  . "/run/module/$MODULE_ID.env" || fail 2 "this user cannot read what setup wrote for module $MODULE_ID: is MODULE_USER right?"
  AGENT_INSTALL_DIR=/srv/module
  PATH=/srv/module/bin:$PATH
  [ -z "$given_user" ] || REDIS_USER=$given_user
  [ -z "$given_password" ] || REDIS_PASSWORD=$given_password
  set +a
}

# schedule and destination print the ID that setup gave to the one called $1.
schedule() { cat "/run/module/$1.schedule" || fail 2 "there is no destination $1: DESTINATION must be local or s3"; }
destination() { cat "/run/module/$1.destination"; }

# manifest DIR lists what must be equal after a restore.
manifest() {
  (
    cd "$1" || exit
    find . -type f -exec sha256sum {} + | sort
    find . ! -type l -exec stat -c '%n %F %a %u:%g' {} + | sort
    find . -type f -exec stat -c '%n %Y' {} + | sort
    find . -type l -exec stat -c '%N' {} + | sort
  )
}

# back_up NAME makes a snapshot on a destination.
back_up() {
  id=$(schedule "$1") || exit
  # The scheduler may be running it.
  step "back up module $MODULE_ID to $1" module-backup --wait 10m "$id"
}

# restore_and_compare NAME restores the latest snapshot beside the data and compares.
restore_and_compare() {
  id=$(destination "$1") || exit
  rm -rf /srv/restored/* || fail 1 "clear /srv/restored"
  step "restore module $MODULE_ID from $1" restore-module --destination "$id" --target /srv/restored
  say "compare what was restored from $1"
  compared=
  for volume in /srv/volumes/*; do
    name=volumes/${volume##*/}
    # A volume that state-include.conf does not name is in no backup.
    grep -q "^ *$name\(/\| *\$\)" /srv/module/etc/state-include.conf || continue
    manifest "/srv/$name" >/tmp/expected
    manifest "/srv/restored/$name" >/tmp/restored || fail 1 "compare: $name is not in the snapshot on $1"
    if ! diff /tmp/expected /tmp/restored >/tmp/differences; then
      sed 's/^/  /' /tmp/differences >&2
      fail 1 "compare: what was restored of $name from $1 differs from what is there now: $(sed -n '/^[-+][^-+]/{p;q}' /tmp/differences)"
    fi
    say "$name is the same: $(grep -c . /tmp/restored) lines of hashes, modes, owners and times"
    compared=yes
  done
  [ -n "$compared" ] || fail 2 "compare: etc/state-include.conf in MODULE_DIR names no volume below /srv/volumes, so nothing was compared"
}
