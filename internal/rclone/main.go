// Command rclone is upstream's own command, cut down to what tests and
// benchmarks put beside the gateway: `serve restic`, on a local directory or S3,
// as a peer to compare with, and `serve s3` and `serve webdav` as storage.
//
// It comes from the very module the gateway links, so both sides of a
// comparison are of one version.
package main

import (
	"github.com/rclone/rclone/cmd"

	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/backend/s3"
	_ "github.com/rclone/rclone/cmd/serve/restic"
	_ "github.com/rclone/rclone/cmd/serve/s3"
	_ "github.com/rclone/rclone/cmd/serve/webdav"
)

func main() { cmd.Main() }
