package catalog

import "github.com/rclone-gateway/rclone-gateway/internal/redisconn"

// Redis is the connection that a catalog is read over.
type Redis = redisconn.Config
