package gateway

import (
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
)

// relation is how a principal stands to a repository.
type relation uint8

const (
	nobody   relation = iota // neither a module nor a node
	stranger                 // a module, of whose the repository is not, nor granted
	grantee                  // a module that restores from it
	owner                    // the module whose repository it is
	operator                 // a node
	relationEnd
)

// permissions is the whole of who may do what.
var permissions = [relationEnd][operation.End]bool{
	stranger: {
		operation.Roots: true,
	},
	grantee: {
		operation.Roots:      true,
		operation.Browse:     true,
		operation.Head:       true,
		operation.Read:       true,
		operation.List:       true,
		operation.SaveLock:   true,
		operation.RemoveLock: true,
	},
	owner: {
		operation.Roots:      true,
		operation.Browse:     true,
		operation.Head:       true,
		operation.Read:       true,
		operation.List:       true,
		operation.Create:     true,
		operation.SaveConfig: true,
		operation.Save:       true,
		operation.SaveKey:    true,
		operation.SaveLock:   true,
		operation.RemoveLock: true,
	},
	operator: {
		operation.Other:      true, // answered by the protocol: 404 or 405
		operation.Head:       true,
		operation.Read:       true,
		operation.List:       true,
		operation.Create:     true,
		operation.SaveConfig: true,
		operation.Save:       true,
		operation.SaveKey:    true,
		operation.AddKey:     true,
		operation.SaveLock:   true,
		operation.RemoveLock: true,
		operation.Remove:     true,
		operation.Roots:      true,
		operation.Browse:     true,
		operation.Put:        true,
		operation.Change:     true,
	},
}

// relate returns how p stands to the repository that holds the path inside a
// destination, or that the path or the manifest beside it is. Paths are compared
// byte by byte.
func relate(p *catalog.Principal, inside string) relation {
	covers := func(repo string) bool {
		below, ok := strings.CutPrefix(inside, repo)
		return ok && (below == "" || below[0] == '/' || below == manifestSuffix)
	}
	switch {
	case p.Role == catalog.RoleNode:
		return operator
	case p.Role != catalog.RoleModule:
		return nobody
	case slices.ContainsFunc(p.Own, covers):
		return owner
	case slices.ContainsFunc(p.Granted, covers):
		return grantee
	}
	return stranger
}

// manifestSuffix is that of the file beside a repository, <app>/<uuid>.json, in which
// NethServer 8 describes it.
const manifestSuffix = ".json"

// allow reports whether a principal of that relation may do that.
func allow(r relation, op operation.Operation) bool {
	return permissions[r][op]
}
