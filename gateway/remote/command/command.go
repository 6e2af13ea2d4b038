// Package command is upstream's rclone command, cut down to what an administrator
// does by hand with the destinations of a gateway: look, copy, move, delete, and
// see a configuration. NethServer 8's own tools call it within the gateway's
// container.
//
// It comes from the module and the backends that the gateway links anyway, so it
// costs the image no second copy of them.
package command

import (
	"os"
	"path/filepath"

	"github.com/rclone/rclone/cmd"
	"github.com/spf13/pflag"

	_ "github.com/rclone/rclone/cmd/about"
	_ "github.com/rclone/rclone/cmd/cat"
	_ "github.com/rclone/rclone/cmd/check"
	_ "github.com/rclone/rclone/cmd/config"
	_ "github.com/rclone/rclone/cmd/copy"
	_ "github.com/rclone/rclone/cmd/copyto"
	_ "github.com/rclone/rclone/cmd/delete"
	_ "github.com/rclone/rclone/cmd/deletefile"
	_ "github.com/rclone/rclone/cmd/hashsum"
	_ "github.com/rclone/rclone/cmd/listremotes"
	_ "github.com/rclone/rclone/cmd/ls"
	_ "github.com/rclone/rclone/cmd/lsd"
	_ "github.com/rclone/rclone/cmd/lsf"
	_ "github.com/rclone/rclone/cmd/lsjson"
	_ "github.com/rclone/rclone/cmd/lsl"
	_ "github.com/rclone/rclone/cmd/mkdir"
	_ "github.com/rclone/rclone/cmd/moveto"
	_ "github.com/rclone/rclone/cmd/obscure"
	_ "github.com/rclone/rclone/cmd/purge"
	_ "github.com/rclone/rclone/cmd/rcat"
	_ "github.com/rclone/rclone/cmd/reveal"
	_ "github.com/rclone/rclone/cmd/rmdir"
	_ "github.com/rclone/rclone/cmd/rmdirs"
	_ "github.com/rclone/rclone/cmd/size"
	_ "github.com/rclone/rclone/cmd/sync"
	_ "github.com/rclone/rclone/cmd/touch"
	_ "github.com/rclone/rclone/cmd/version"
)

// Called reports whether the program was called rclone, as by the symlink in the image:
// then Main is meant.
func Called() bool { return filepath.Base(os.Args[0]) == "rclone" }

func init() {
	if !Called() {
		// Rclone has put its options on pflag's own set, which cobra gives to every
		// command of the process.
		pflag.CommandLine = pflag.NewFlagSet(os.Args[0], pflag.ExitOnError)
	}
}

// Main runs rclone with the process's arguments and ends the process. It reads the
// configuration that $RCLONE_CONFIG names and takes every flag, variable and exit
// status of rclone's.
func Main() { cmd.Main() }
