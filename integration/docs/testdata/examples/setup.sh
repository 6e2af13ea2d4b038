# What the examples find: made once, and kept in $STATE.
mkdir /srv/env /srv/storage{,/disk,/nas}
ID=14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
KEY_ID=0012a34b56c78d90000000001 KEY=K001+test/secret
export NS8_AGENT_ENV=/srv/env/node.env
start_redis empty
echo the-password-of-node-1 >password.txt
gatewayctl node add --password-file password.txt --env-file /srv/env/node.env
start_gateway

# A disk, and the bucket of the examples, whose ID is not the one that follows from it.
printf '[disk]\ntype = local\n' >disk.conf
gatewayctl destination add --provider rclone --conf disk.conf --base-path /srv/storage/disk --name Disk >added
DISK=$(head -n 1 added) PASSWORD=$(sed -n 2p added)
echo "$KEY" >key.txt
gatewayctl destination add --provider backblaze --url b2:my-bucket/folder --name Bucket \
  --set b2_account_id=$KEY_ID --secret-file b2_account_key=key.txt >added
BUCKET=$(head -n 1 added)
gatewayctl destination export --with-secrets "$BUCKET" | sed "s/$BUCKET/$ID/g" >bucket.json
gatewayctl destination remove "$BUCKET"
gatewayctl destination import bucket.json
save_redis bare

uuid() { . "/srv/env/$1.env"; echo "$MODULE_UUID"; }
for module in myapp1 myapp2 mymodule1 dokuwiki1 mail1; do
  mkdir -p /srv/$module/etc /srv/$module/volumes/data/docs
  echo volumes/data >/srv/$module/etc/state-include.conf
  echo 'Dear Sir or Madam' >/srv/$module/volumes/data/docs/letter.odt
  gatewayctl module add --dir /srv/$module --env-file /srv/env/$module.env --repository-password-file /srv/repository.password $module
done
# What is backed up goes into repositories that restic opens in no time.
for module in myapp1 dokuwiki1; do
  mkdir -p /srv/storage/disk/${module%1}
  cp -a /srv/repository /srv/storage/disk/${module%1}/$(uuid $module)
done
mkdir -p /srv/new/etc
cp /srv/myapp1/etc/state-include.conf /srv/new/etc/
cp password.txt password2.txt
gatewayctl node add --password-file password2.txt 2
gatewayctl schedule add --destination "$DISK" --name nightly myapp1 mymodule1
gatewayctl schedule add --destination "$DISK" dokuwiki1
runagent -m myapp1 module-backup 1
runagent -m dokuwiki1 module-backup 2
redis-cli set module/mymodule1/mykey value
redis-cli set module/mymodule1/session value ex 3600
save_redis full

# The files that the examples read, by the commands that they are for.
files() {
  mkdir -p "/srv/files/$1"
  cd "/srv/files/$1"
}
mkdir -p ~/.config/rclone ~/.config/fish/completions
printf '[nas]\ntype = alias\nremote = /srv/storage/nas\n[other]\ntype = local\n' >~/.config/rclone/rclone.conf
files 'gatewayctl'
# The disk has repositories, whose password is asked for.
printf 'rclone\n[disk]\ntype = local\n\n/srv/storage/disk\nDisk\n%s\n' "$PASSWORD" >answers
files 'gatewayctl destination'
printf 'backblaze\nb2:my-bucket/folder\n%s\n%s\n\n' $KEY_ID $KEY >answers
files 'gatewayctl destination add'
cp '/srv/files/gatewayctl destination/answers' .
echo "$KEY" >key.txt
jq --null-input --arg id $KEY_ID --arg key "$KEY" \
  '{provider: "backblaze", name: "", password: "", url: "b2:my-bucket/other", parameters: {b2_account_id: $id, b2_account_key: $key}}' >request.json
files 'gatewayctl destination alter'
echo "$KEY" >new.txt
jq --null-input --arg id $ID '{id: $id, provider: "backblaze", name: "Old bucket"}' >request.json
files 'gatewayctl destination import'
gatewayctl destination export --with-secrets $ID | sed "s/$ID/11111111-1111-5111-8111-111111111111/g" >destinations.json
echo 'tell nobody' >passphrase.txt
gzip <destinations.json | gpg --batch --pinentry-mode loopback --passphrase-file passphrase.txt --symmetric --output cluster-backup.json.gz.gpg
files 'gatewayctl module passwd'
echo a-password-of-its-own >new.txt
files 'gatewayctl node add'
cp /srv/here/password.txt .
for command in 'schedule install' 'schedule run' 'snapshot serve' scheduler; do
  files "gatewayctl $command"
  cp /srv/env/node.env .
done
files 'gatewayctl redis-restore'
runagent -m mymodule1 redis-dump module/mymodule1/mykey >mykey.dump
runagent -m mymodule1 redis-dump --match 'module/mymodule1/*' >keys.dump
files 'gatewayctl restore-module'
jq --null-input --arg disk "$DISK" --arg path "myapp/$(uuid myapp1)" \
  '{repository: $disk, path: $path, snapshot: "", environment: {}, replace: false}' >request.json
files 'rclone-gateway check-destination'
printf '[disk]\ntype = alias\nremote = /srv/storage/disk\n' >rclone.conf
cat >/srv/words <<WORDS
DISK=$DISK
DOKUWIKI=$(uuid dokuwiki1)
WORDS

# Nothing may vanish while it is copied; the agent takes its sockets away as it ends.
gpgconf --kill gpg-agent
no_sockets() { ! compgen -G "$HOME/.gnupg/S.*"; }
within no_sockets
rm -r /srv/here /srv/redis /srv/repository
cp -a /srv/. $state/
