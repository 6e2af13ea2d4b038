// Gatewayctl is the client of the gateway: module-backup, restore-module,
// redis-dump, redis-restore and restic-wrapper in one binary.
package main

import (
	"os"

	"github.com/rclone-gateway/rclone-gateway/client"
)

func main() {
	os.Exit(client.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
