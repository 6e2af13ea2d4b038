// Package footprint keeps small what an idle program holds of the machine's memory.
package footprint

import (
	"runtime/debug"

	"github.com/rclone-gateway/rclone-gateway/internal/footprint/programfile"
)

// Trim gives back what the program does not need just now: its garbage, and the pages of
// its own file that it has read. After a start with hundreds of packages to initialise,
// those are most of what it holds.
func Trim() error {
	debug.FreeOSMemory()
	return programfile.Drop()
}
