# An S3 server at 127.0.0.1:9000, with the bucket backups.
MINIO_ROOT_USER=test-key MINIO_ROOT_PASSWORD=test-secret MINIO_CI_CD=1 MINIO_BROWSER=off MINIO_UPDATE=off \
  minio server --quiet --address 127.0.0.1:9000 ~/.minio-data >~/.minio-log 2>&1 &
listening 127.0.0.1 9000 ~/.minio-log
(exec -a rclone rclone-gateway mkdir ":s3,provider=Minio,endpoint='http://127.0.0.1:9000',access_key_id=test-key,secret_access_key=test-secret:backups")
