// Package browseapi is what the gateway asks "gatewayctl snapshot serve" on its unix socket,
// for the page: what a directory of a snapshot holds, and the content of a file. Each is asked
// with GET and the parameters repository (APP/UUID), destination (its ID), snapshot and path.
package browseapi

import "time"

// The paths.
const (
	ListPath    = "/list"
	ContentPath = "/content"
)

// MaxEntries bounds what is listed of one directory.
const MaxEntries = 2000

// Listing is what a directory holds.
type Listing struct {
	Path    string  `json:"path"`
	Entries []Entry `json:"entries"`
	More    bool    `json:"more,omitempty"` // there are more than MaxEntries
}

// Entry is a file, a directory or whatever else a snapshot holds.
type Entry struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"` // as restic calls it: file, dir, symlink and so on
	Size     uint64    `json:"size"`
	Modified time.Time `json:"modified"`
}
