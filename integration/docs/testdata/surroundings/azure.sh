# Azure Blob Storage: Azurite, by the name of the account myaccount, with the container
# my-container. The account's key is in azure-key.txt.
need node
azurite=$PROJECT/.cache/npm/azurite/node_modules/azurite/dist/src/blob/main.js
[[ -e $azurite ]] || missing 'no Azurite: run make deps'
echo 'dGVzdCBzZWNyZXQgb2YgYXp1cmU=' > azure-key.txt
mkdir "$WORLD/azure"
AZURITE_ACCOUNTS=myaccount:$(cat azure-key.txt) node "$azurite" --blobHost 127.0.2.2 --blobPort 443 \
  --cert "$WORLD/cert.pem" --key "$WORLD/key.pem" --location "$WORLD/azure" --silent --disableTelemetry --skipApiVersionCheck >"$WORLD/azure/log" 2>&1 &
listening 127.0.2.2 443 "$WORLD/azure/log"
(exec -a rclone rclone-gateway mkdir ":azureblob,account=myaccount,key='$(cat azure-key.txt)':my-container")

# The restic of Debian 13 is built without this storage, that of Debian 12 with it.
restic() {
  if [[ $* == *azure:* ]]; then restic-0.14 "$@"; else command restic "$@"; fi
}
