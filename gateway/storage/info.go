package storage

import (
	"io/fs"
	"time"
)

// ObjectInfo is the fs.FileInfo of an object.
func ObjectInfo(name string, size int64, modTime time.Time) fs.FileInfo {
	return objectInfo{name, size, modTime}
}

// DirInfo is the fs.FileInfo of a directory.
func DirInfo(name string, modTime time.Time) fs.FileInfo { return dirInfo{name, modTime} }

type objectInfo struct {
	name    string
	size    int64
	modTime time.Time
}

func (i objectInfo) Name() string       { return i.name }
func (i objectInfo) Size() int64        { return i.size }
func (i objectInfo) Mode() fs.FileMode  { return 0o600 }
func (i objectInfo) ModTime() time.Time { return i.modTime }
func (i objectInfo) IsDir() bool        { return false }
func (i objectInfo) Sys() any           { return nil }

type dirInfo struct {
	name    string
	modTime time.Time
}

func (i dirInfo) Name() string       { return i.name }
func (i dirInfo) Size() int64        { return 0 }
func (i dirInfo) Mode() fs.FileMode  { return fs.ModeDir | 0o700 }
func (i dirInfo) ModTime() time.Time { return i.modTime }
func (i dirInfo) IsDir() bool        { return true }
func (i dirInfo) Sys() any           { return nil }
