package gateway

import (
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// access is what a request wants to do to a repository.
type access uint8

const (
	accessUnknown    access = iota // no operation of the restic protocol
	accessRead                     // GET and HEAD of objects and lists
	accessCreate                   // POST ?create=true
	accessConfig                   // POST config, never with other content
	accessSave                     // POST of data, keys, snapshots and indexes
	accessSaveLock                 // POST below locks/
	accessRemoveLock               // DELETE below locks/
	accessRemove                   // every other DELETE
	accessEnd                      // their number
)

// relation is how a principal stands to a repository.
type relation uint8

const (
	stranger relation = iota // neither its own nor granted
	grantee                  // a module that restores from it
	owner                    // the module whose repository it is
	operator                 // a node
	relationEnd
)

// permissions is the whole of who may do what.
var permissions = [relationEnd][accessEnd]bool{
	grantee: {
		accessRead:       true,
		accessSaveLock:   true,
		accessRemoveLock: true,
	},
	owner: {
		accessRead:       true,
		accessCreate:     true,
		accessConfig:     true,
		accessSave:       true,
		accessSaveLock:   true,
		accessRemoveLock: true,
	},
	operator: {
		accessUnknown:    true, // answered by the protocol: 404 or 405
		accessRead:       true,
		accessCreate:     true,
		accessConfig:     true,
		accessSave:       true,
		accessSaveLock:   true,
		accessRemoveLock: true,
		accessRemove:     true,
	},
}

// relate tells how p stands to the repository that holds the path inside a
// destination. Paths are compared byte by byte.
func relate(p *catalog.Principal, inside string) relation {
	covers := func(repo string) bool {
		return len(inside) > len(repo) && inside[len(repo)] == '/' && strings.HasPrefix(inside, repo)
	}
	switch {
	case p.Role == catalog.RoleNode:
		return operator
	case p.Role != catalog.RoleModule:
		return stranger
	case slices.ContainsFunc(p.Own, covers):
		return owner
	case slices.ContainsFunc(p.Granted, covers):
		return grantee
	}
	return stranger
}

// allow tells whether a principal of that relation may do that.
func allow(r relation, a access) bool {
	return permissions[r][a]
}
