# Amazon S3: MinIO, by Amazon's names of itself and of the bucket my-bucket, whose region
# is eu-south-1. The secret of the key is in aws-secret.txt.
echo 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' > aws-secret.txt
mkdir -p "$WORLD/aws/certs"
cp "$WORLD/cert.pem" "$WORLD/aws/certs/public.crt"
cp "$WORLD/key.pem" "$WORLD/aws/certs/private.key"
MINIO_ROOT_USER=AKIAIOSFODNN7EXAMPLE MINIO_ROOT_PASSWORD=$(cat aws-secret.txt) \
  MINIO_DOMAIN=s3.amazonaws.com,s3.eu-south-1.amazonaws.com,s3.dualstack.eu-south-1.amazonaws.com \
  MINIO_SITE_REGION=eu-south-1 MINIO_CI_CD=1 MINIO_BROWSER=off MINIO_UPDATE=off \
  minio server --quiet --address 127.0.2.1:443 --certs-dir "$WORLD/aws/certs" "$WORLD/aws/data" >"$WORLD/aws/log" 2>&1 &
listening 127.0.2.1 443 "$WORLD/aws/log"
(exec -a rclone rclone-gateway mkdir ":s3,provider=AWS,region=eu-south-1,location_constraint=eu-south-1,access_key_id=AKIAIOSFODNN7EXAMPLE,secret_access_key=$(cat aws-secret.txt):my-bucket")
