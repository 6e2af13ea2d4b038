package access

import (
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
)

// Relation is how a principal stands to a repository.
type Relation uint8

// The relations.
const (
	Nobody      Relation = iota // neither a module nor a node
	Stranger                    // a module, of whose the repository is not, nor granted
	Grantee                     // a module that restores from it
	Owner                       // the module whose repository it is
	Operator                    // a node
	RelationEnd                 // is behind the last one
)

// permissions is the whole of who may do what.
var permissions = [RelationEnd][operation.End]bool{
	Stranger: {
		operation.Roots: true,
	},
	Grantee: {
		operation.Roots:      true,
		operation.Browse:     true,
		operation.Head:       true,
		operation.Read:       true,
		operation.List:       true,
		operation.SaveLock:   true,
		operation.RemoveLock: true,
	},
	Owner: {
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
	Operator: {
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

// Relate returns how p stands to the repository that holds the path inside a
// destination, or that the path or the manifest beside it is. Paths are compared
// byte by byte.
func Relate(p *catalog.Principal, inside string) Relation {
	covers := func(repo string) bool {
		below, ok := strings.CutPrefix(inside, repo)
		return ok && (below == "" || below[0] == '/' || below == manifestSuffix)
	}
	switch {
	case p.Role == catalog.RoleNode:
		return Operator
	case p.Role != catalog.RoleModule:
		return Nobody
	case slices.ContainsFunc(p.Own, covers):
		return Owner
	case slices.ContainsFunc(p.Granted, covers):
		return Grantee
	}
	return Stranger
}

// manifestSuffix is that of the file beside a repository, <app>/<uuid>.json, in which
// NethServer 8 describes it.
const manifestSuffix = ".json"

// Allow reports whether a principal of that relation may do that.
func Allow(r Relation, op operation.Operation) bool {
	return permissions[r][op]
}
