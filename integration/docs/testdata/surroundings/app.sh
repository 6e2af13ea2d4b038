# Somebody's wiki: pages, a volume of Docker, and a database.
need_root "a Docker Engine of one's own"
need dockerd
need pg_lsclusters
need runuser
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir -p /srv/wiki/pages/tmp
echo '# Welcome' >/srv/wiki/pages/home.md
echo draft >/srv/wiki/pages/tmp/draft

mkdir ~/engine
export DOCKER_HOST=unix://$HOME/engine/docker.sock
echo '{}' >~/engine/daemon.json
dockerd --host="$DOCKER_HOST" --data-root="$HOME/engine/data" --exec-root="$HOME/engine/exec" \
  --pidfile="$HOME/engine/pid" --config-file="$HOME/engine/daemon.json" \
  --bridge=none --iptables=false --ip6tables=false >~/engine/log 2>&1 &
within docker info || { tail -n 20 ~/engine/log >&2; false; }
docker volume create wiki_uploads >/dev/null
echo 'a photo' >"$(docker volume inspect --format '{{.Mountpoint}}' wiki_uploads)/photo"

# The sockets of PostgreSQL are in /var/run/postgresql.
mount -t tmpfs tmpfs /var/run/postgresql
mkdir -p /srv/postgres
chown postgres /srv/postgres /var/run/postgresql
programs=$(echo /usr/lib/postgresql/*/bin)
runuser -u postgres -- "${programs##* }/initdb" --auth=trust --no-sync --pgdata=/srv/postgres/data >/srv/postgres/log
runuser -u postgres -- "${programs##* }/pg_ctl" --pgdata=/srv/postgres/data --log=/srv/postgres/server.log --wait --timeout=300 start >/dev/null
runuser -u postgres -- createdb wiki
runuser -u postgres -- psql --quiet --command "create table pages (title text); insert into pages values ('Home')" wiki
