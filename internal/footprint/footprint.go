// Package footprint reduces the memory that an idle program occupies.
package footprint

import (
	"runtime/debug"

	"github.com/rclone-gateway/rclone-gateway/internal/footprint/programfile"
)

// Trim releases what the program does not need now: its garbage, and the pages of its own
// file that it has read. After a start that initializes hundreds of packages, these are
// most of its memory.
func Trim() error {
	debug.FreeOSMemory()
	return programfile.Drop()
}
