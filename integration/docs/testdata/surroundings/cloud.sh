# A WebDAV server at https://cloud.example.org/backup. The password of its user backup is
# in cloud-password.txt.
need_root Apache
need apache2
echo 'correct horse cloud' > cloud-password.txt
cloud=$WORLD/cloud
mkdir -p "$cloud/data" "$cloud/state"
chown www-data: "$cloud/data" "$cloud/state"
echo 'backup:{SHA}54MkkTDIpDHbo7hBjI7NVY0zyRY=' >"$cloud/users" # of that password
{
  for module in mpm_event authn_core authn_file authz_core authz_user auth_basic alias dav dav_fs socache_shmcb ssl; do
    echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"
  done
  cat <<END
ServerName cloud.example.org
Listen 127.0.2.6:443
User www-data
Group www-data
ServerRoot $cloud
DefaultRuntimeDir $cloud/state
PidFile $cloud/pid
ErrorLog $cloud/log
DocumentRoot $cloud/data
DavLockDB $cloud/state/locks
SSLEngine on
SSLCertificateFile $WORLD/cert.pem
SSLCertificateKeyFile $WORLD/key.pem
Alias /backup $cloud/data
<Directory $cloud/data>
Dav On
AllowOverride None
AuthType Basic
AuthName backup
AuthUserFile $cloud/users
Require valid-user
</Directory>
END
} >"$cloud/apache.conf"
apache2 -D FOREGROUND -f "$cloud/apache.conf" >"$cloud/output" 2>&1 &
listening 127.0.2.6 443 "$cloud/output"
