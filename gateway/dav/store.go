package dav

import "github.com/rclone-gateway/rclone-gateway/gateway/storage"

// Store is what WebDAV needs from a destination.
type Store interface {
	storage.Store
	storage.Tree
}
