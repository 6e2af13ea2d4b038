//go:build !curated

package backend

import _ "github.com/rclone/rclone/backend/all" // every backend that rclone has
