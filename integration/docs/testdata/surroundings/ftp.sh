# An FTP server at ftp.example.org that wants TLS. The password of its user backup, who
# comes to the directory of the NAS's, is in ftp-password.txt.
need_root vsftpd
need vsftpd
echo 'correct horse ftp' > ftp-password.txt
ftp=$WORLD/ftp
mkdir -p "$ftp/empty"
# The hash is that of this password.
sed 's|^backup:.*|backup:$6$ftp$ELXmff3oGv03VI6jsNYsxwTpIC9B/fBcXHKq7hZnz5Tn1vSpJJvMjNjVJyjzISfJhhC6NP3PvIWVBbn8wVwbM1:1::::::|' /etc/shadow >"$ftp/shadow"
mount --bind "$ftp/shadow" /etc/shadow
printf '%s\n' 'auth required pam_unix.so' 'account required pam_permit.so' 'session required pam_permit.so' >"$ftp/pam"
mount --bind "$ftp/pam" /etc/pam.d/vsftpd
cat >"$ftp/vsftpd.conf" <<END
listen=YES
listen_address=127.0.2.7
background=NO
secure_chroot_dir=$ftp/empty
pam_service_name=vsftpd
anonymous_enable=NO
local_enable=YES
write_enable=YES
local_umask=022
seccomp_sandbox=NO
ssl_enable=YES
force_local_data_ssl=YES
force_local_logins_ssl=YES
rsa_cert_file=$WORLD/cert.pem
rsa_private_key_file=$WORLD/key.pem
ssl_ciphers=HIGH
END
"$(command -v vsftpd)" "$ftp/vsftpd.conf" >"$ftp/log" 2>&1 &
listening 127.0.2.7 21 "$ftp/log"
