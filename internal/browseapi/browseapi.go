// Package browseapi defines the requests of the gateway to the unix socket of "gatewayctl
// snapshot serve", for the pages: the entries of a directory of a snapshot, and the content
// of a file. They use GET with the parameters repository (APP/UUID), destination (its ID),
// snapshot and path.
package browseapi

import "time"

// The paths.
const (
	ListPath    = "/list"
	ContentPath = "/content"
)

// MaxEntries bounds the entries in a listing.
const MaxEntries = 2000

// Listing holds the entries of a directory.
type Listing struct {
	Path    string  `json:"path"`
	Entries []Entry `json:"entries"`
	More    bool    `json:"more,omitempty"` // there are more than MaxEntries
}

// Entry is a file, a directory or any other entry of a snapshot.
type Entry struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"` // as in restic: file, dir, symlink and so on
	Size     uint64    `json:"size"`
	Modified time.Time `json:"modified"`
}
