# A rotation that the restic beside this kills, and which passwords open the repository then.
echo 0 > calls
WHEN=$1 AT=$2 gatewayctl --env-file admin.env repository password rotate $SUBJECT
status=$?
[ $status = 137 ] || { echo "exit status $status" >&2; exit 1; }
shift 2
new=$(redis-cli --no-auth-warning -u redis://cluster:$CLUSTER_PASSWORD@$REDIS_ADDRESS hget private/nodes/backup_destination/$ROTATION | sed 's/.*"new":"\([^"]*\)".*/\1/')
export PATH=$RESTIC
[ -f key ] && KEY=$(cat key)
opens() { RESTIC_PASSWORD=$1 restic -r $REPOSITORY --no-lock --no-cache cat config >/dev/null 2>&1; }
for expectation in opens-old opens-new; do
  want=1
  case " $* " in *" $expectation "*) want=0 ;; esac
  [ $expectation = opens-old ] && password=$KEY || password=$new
  opens "$password"
  got=$?
  [ $got = 0 ] || got=1
  [ $got = $want ] || { echo "$expectation: $got, want $want" >&2; exit 1; }
done
