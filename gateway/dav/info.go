package dav

import (
	"io/fs"
	"path"
	"time"
)

// dirInfo describes a directory. Unlike the entries of a listing it may be kept.
type dirInfo struct {
	modTime time.Time
	name    string
}

func (i dirInfo) Name() string       { return path.Base(i.name) }
func (i dirInfo) Size() int64        { return 0 }
func (i dirInfo) Mode() fs.FileMode  { return fs.ModeDir | 0o700 }
func (i dirInfo) ModTime() time.Time { return i.modTime }
func (i dirInfo) IsDir() bool        { return true }
func (i dirInfo) Sys() any           { return nil }
