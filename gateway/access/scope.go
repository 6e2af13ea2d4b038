package access

import (
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
)

// Relation is the relation of a principal to a repository.
type Relation uint8

// The relations.
const (
	Nobody      Relation = iota // neither a module nor a node
	Stranger                    // a module without access to the repository
	Grantee                     // a module that may restore from the repository
	Owner                       // the module that the repository belongs to
	Operator                    // a node
	RelationEnd                 // the number of relations
)

// permissions is the complete table of permissions.
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
		operation.Other:      true, // the protocol answers these: 404 or 405
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

// Relate returns the relation of p to the repository that contains the path inside a
// destination, or whose directory or manifest the path is. It compares paths byte by byte.
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

// manifestSuffix ends the name of a manifest, the file <app>/<uuid>.json next to a
// repository in which NethServer 8 describes it.
const manifestSuffix = ".json"

// Allow reports whether a principal with that relation may perform the operation.
func Allow(r Relation, op operation.Operation) bool {
	return permissions[r][op]
}
