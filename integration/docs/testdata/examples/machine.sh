# The machine that the examples of the reference are for. What they change of it is in
# memory, and $STATE is in /srv.
for program in redis-cli curl jq gpg zsh fish; do need "$program"; done
state=/run/state world=/run/world
mount -t tmpfs none /run
mkdir $state $world
mount --bind "$STATE" $state
cp "$WORLD"/ca.pem $world
export SSL_CERT_FILE=$world/ca.pem
for dir in /srv /mnt /usr/local/share /usr/share/bash-completion/completions /var/lib/prometheus/node-exporter /usr/local/bin; do
  mount -t tmpfs none "$dir"
done
mkdir -p /usr/local/share/zsh/site-functions
for program in "${PATH%%:*}"/*; do
  installed=/usr/local/bin/${program##*/}
  : >"$installed"
  mount --bind "$(realpath "$program")" "$installed"
done
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs none /tmp
cp -a $state/. /srv/
export HOME=/srv/home GATEWAY_MODULES_DIR=/srv/modules.d GATEWAYCTL_STATE_DIR=/srv/runs
mkdir -p /srv/home /srv/here
cd /srv/here
gatewayctl install-links /usr/local/bin

# NethServer's way into the environment of a module.
cat >/usr/local/bin/runagent <<'SHIM'
#!/bin/bash
[[ $1 == -m ]] || exit 2
set -a
. "/srv/env/$2.env"
set +a
shift 2
exec "$@"
SHIM
# Another machine, which is this one.
cat >/usr/local/bin/ssh <<'SHIM'
#!/bin/bash
shift
exec "$@"
SHIM
# Restic's image is the restic of this machine, and sees of it what it is told to mount.
cat >/usr/local/bin/podman <<'SHIM'
#!/bin/bash
if [[ $1 == volume ]]; then
  [[ ${!#} == wiki_db ]] && echo /srv/storage/wiki_db
  exit
fi
while [[ $1 != "$RESTIC_IMAGE" ]]; do
  case $1 in
    --env=*=*) export "${1#--env=}" ;;
    --volume=/mnt:/mnt) mounted=yes ;;
  esac
  shift
done
if [[ " $* " == *' /mnt '* && -z ${mounted-} ]]; then echo 'podman: /mnt is not mounted' >&2; exit 125; fi
shift
unset RESTIC_CACHE_DIR # the container's
exec restic "$@"
SHIM
chmod +x /usr/local/bin/{runagent,ssh,podman}

# start_redis starts a Redis that has what was saved of that name; empty was never saved.
start_redis() {
  if [[ $1 == empty ]]; then
    mkdir /srv/redis
    touch /srv/redis/users.acl
  else
    cp -a "/srv/redis.$1" /srv/redis
  fi
  redis-server --port 6379 --bind 127.0.0.1 --dir /srv/redis --aclfile users.acl --save '' >/srv/redis.log 2>&1 &
  listening 127.0.0.1 6379 /srv/redis.log
}
save_redis() {
  redis-cli save
  mkdir "/srv/redis.$1"
  cp -a /srv/redis/{dump.rdb,users.acl} "/srv/redis.$1/"
}
start_gateway() {
  (set -a; . /srv/env/node.env; exec rclone-gateway serve --state-dir /srv/gateway-state --addr 127.0.0.1:4694 --addr unix:/run/rclone-gateway.sock) >/srv/gateway.log 2>&1 &
  within curl --fail --silent http://127.0.0.1:4694/-/ready
}
# module_elsewhere adds a module that is on another host, by a file, and has the gateway speak
# https, too.
module_elsewhere() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=gateway.example.org \
    -addext subjectAltName=DNS:gateway.example.org -keyout gateway.key -out gateway.pem 2>openssl.log
  FINGERPRINT=$(openssl x509 -in gateway.pem -noout -fingerprint -sha256 | cut -d = -f 2)
  export SSL_CERT_FILE=$PWD/gateway.pem GATEWAY=https://gateway.example.org:4694
  (set -a; . /srv/env/node.env; exec rclone-gateway serve --state-dir /srv/gateway-state-https \
    --addr gateway.example.org:4694 --tls-cert gateway.pem --tls-key gateway.key) >/srv/gateway-https.log 2>&1 &
  within curl --fail --silent $GATEWAY/-/ready
  gatewayctl module add --host-file "$1.host" --gateway $GATEWAY "$@"
}
# no_modules is for where none was added yet.
no_modules() { rm -r /srv/{myapp1,myapp2,mymodule1,dokuwiki1,mail1}/state; }

# example runs a line in a shell, bash unless it is another's, and wants status 0 of it.
# A server that stays is ended when it is ready; one in the background is waited for.
example() {
  echo "== $1" >&2
  local status=0
  set +u
  case $1 in
    *'rclone-gateway serve) &') eval "$1" && within rclone-gateway health || status=$? ;;
    *'rclone-gateway serve' | 'rclone-gateway serve '*)
      (eval "$1") &
      local server=$!
      within curl --fail --silent http://127.0.0.1:4694/-/ready || status=1
      kill "$(pidof rclone-gateway)"
      wait $server || status=$?
      ;;
    *' scheduler' | *' scheduler '*)
      (eval "exec $1") 2>scheduler.log &
      local scheduler=$!
      within grep started scheduler.log || status=1
      kill $scheduler
      wait $scheduler || [[ $? == 143 ]] || status=1
      ;;
    *' snapshot serve '*)
      (eval "exec $1") 2>serve.log &
      local serve=$!
      within grep showing serve.log || status=1
      kill $serve
      wait $serve || [[ $? == 143 ]] || status=1
      ;;
    *'gatewayctl destination add') script --quiet --return --echo never --command "$1" /dev/null <answers || status=$? ;;
    *' completion zsh '*) zsh -f -c "$1" || status=$? ;;
    *' completion fish '*) fish -c "$1" || status=$? ;;
    *) eval "$1" || status=$? ;;
  esac
  set -u
  ((status == 0)) || fail "exit status $status: $1"
  echo ran >&$ran
}
