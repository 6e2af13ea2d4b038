# A NAS at nas.example.org, whose user backup has a home, where the key nas-key lets in by
# SSH, and a share of the name backup. The password is in nas-password.txt.
need_root Samba
need smbd
need sshd
getent passwd backup >/dev/null || missing "no user backup, as Debian has it"
echo 'correct horse battery' > nas-password.txt
nas=$WORLD/nas
mkdir -p "$nas/home" "$nas/share" "$nas/state" /run/sshd
chmod 755 "$nas"
chown backup: "$nas/home" "$nas/share"
sed "s|^\(backup:x:[0-9]*:[0-9]*:[^:]*\):.*|\1:$nas/home:/bin/sh|" /etc/passwd >"$nas/passwd"
mount --bind "$nas/passwd" /etc/passwd

ssh-keygen -q -t ed25519 -N '' -f "$nas/host-key"
cat >"$nas/sshd.conf" <<END
ListenAddress 127.0.2.5
Port 22
PidFile none
HostKey $nas/host-key
AuthorizedKeysFile none
AuthorizedKeysCommand /bin/cat $PWD/nas-key.pub
AuthorizedKeysCommandUser root
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
END
"$(command -v sshd)" -D -e -f "$nas/sshd.conf" >"$nas/sshd.log" 2>&1 &
listening 127.0.2.5 22 "$nas/sshd.log"

cat >"$nas/smb.conf" <<END
[global]
server role = standalone server
interfaces = 127.0.2.5/8
bind interfaces only = yes
disable netbios = yes
load printers = no
printcap name = /dev/null
disable spoolss = yes
private dir = $nas/state
lock directory = $nas/state
state directory = $nas/state
cache directory = $nas/state
pid directory = $nas/state
ncalrpc dir = $nas/state
passdb backend = smbpasswd:$nas/state/passwords
[backup]
path = $nas/share
read only = no
END
printf '%s\n' "$(cat nas-password.txt)" "$(cat nas-password.txt)" | smbpasswd -c "$nas/smb.conf" -s -a backup >"$nas/smb.log" 2>&1
smbd --foreground --no-process-group --debug-stdout --configfile="$nas/smb.conf" --port=445 >>"$nas/smb.log" 2>&1 &
listening 127.0.2.5 445 "$nas/smb.log"
