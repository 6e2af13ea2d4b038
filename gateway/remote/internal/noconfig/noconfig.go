// Package noconfig keeps rclone from creating a directory for its configuration
// in the user's home, which it does while it is initialised unless RCLONE_CONFIG
// is set.
//
// Go initialises packages whose imports are ready in the order of their paths.
// This one imports nothing but os, which rclone imports too, and its path sorts
// before rclone's, so it always comes first.
package noconfig

import "os"

func init() {
	if _, set := os.LookupEnv("RCLONE_CONFIG"); !set {
		// An error leaves rclone's default behaviour, which is harmless.
		_ = os.Setenv("RCLONE_CONFIG", os.DevNull)
	}
}
