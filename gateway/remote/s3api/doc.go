// Package s3api asks a storage of the kind S3 for what rclone has no way to ask: checksums
// and conditions of uploads, the deletion of many objects in one request, and that of
// versions. It uses rclone's own client, with all of its settings. It does not know stores.
package s3api
