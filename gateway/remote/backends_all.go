//go:build !curated

package remote

import _ "github.com/rclone/rclone/backend/all" // every backend that rclone has
