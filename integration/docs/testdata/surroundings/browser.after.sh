# The gateway wrote a refreshed token to Redis, instead of the one of the login.
within grep -q 'wrote a refreshed token to Redis' "$OUTPUTS"/*.out
redis-cli -p 6400 hget private/nodes/backup_destination/rclone_conf "$(head -n 1 ~/tutorial/drive.txt)" >"$WORLD/drive.conf"
grep -q '"access_token":"access-' "$WORLD/drive.conf"
if grep -q '"access_token":"access-1"' "$WORLD/drive.conf"; then fail 'Redis holds the token of the login'; fi
