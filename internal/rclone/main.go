// Command rclone is upstream's own command, cut down to what tests and
// benchmarks put beside the gateway: `serve restic`, on a local directory or S3,
// as a peer to compare with, and `serve s3` and `serve webdav` as storage.
//
// It comes from the very module the gateway links, so both sides of a
// comparison are of one version. It also has what the documentation does with rclone:
// make the section of a remote, with and without a login, and be restic's way to SFTP.
package main

import (
	"github.com/rclone/rclone/cmd"

	_ "github.com/rclone/rclone/backend/b2" // restic names an option of it
	_ "github.com/rclone/rclone/backend/drive"
	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/backend/s3"
	_ "github.com/rclone/rclone/backend/sftp"
	_ "github.com/rclone/rclone/cmd/config"
	_ "github.com/rclone/rclone/cmd/obscure"
	_ "github.com/rclone/rclone/cmd/serve/restic"
	_ "github.com/rclone/rclone/cmd/serve/s3"
	_ "github.com/rclone/rclone/cmd/serve/webdav"
)

func main() { cmd.Main() }
