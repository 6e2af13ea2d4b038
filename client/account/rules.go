package account

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Version is a version of Redis, as far as its ACLs depend on it.
type Version struct{ Major, Minor int }

// ParseVersion finds the version in the text that INFO server answers. Where
// there is none it is 7.0, the one that NethServer 8 has.
func ParseVersion(info string) Version {
	for line := range strings.Lines(info) {
		var v Version
		if text, ok := strings.CutPrefix(line, "redis_version:"); ok {
			if n, _ := fmt.Sscanf(text, "%d.%d", &v.Major, &v.Minor); n == 2 {
				return v
			}
		}
	}
	return Version{7, 0}
}

// String is the version as people write it.
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// HasACLs reports whether there are users at all.
func (v Version) HasACLs() bool { return v.Major >= 6 }

// ReadOnlyKeys reports whether a user can be given keys for reading alone. Before,
// a user that may write at all may write every key that it can read.
func (v Version) ReadOnlyKeys() bool { return v.Major >= 7 }

func (v Version) channels() bool { return v.Major > 6 || v.Major == 6 && v.Minor >= 2 }

// Keys that a module reads to be backed up and restored: its schedule, and where the
// destinations are, without their secrets.
var moduleReads = []string{"cluster/backup/*", "cluster/backup_repository/*"}

// sharedPasswords are those that all modules without one of their own share.
const sharedPasswords = "private/agents/backup_destination/restic_password"

// Keys that a node's gateway reads. It serves every module.
var nodeReads = []string{"cluster/*", "node/*", "module/*", "private/agents/*", "private/nodes/*"}

// Keys that a node's gateway writes beyond its own: the page pauses schedules there.
var nodeWrites = []string{"~cluster/backup_plan/*"}

// Channels that a node hears. To publish on them has gateways read everything
// again, and no more.
var nodeHears = []string{"&cluster/event/acl-changed", "&cluster/event/backup-destination-changed", "&cluster/event/backup-schedule-changed", "&node/*/event/backup-frozen-changed"}

// ModuleRules are the rules for ACL SETUSER of a module's user: its own keys and
// channels, and what a backup and a restore must read. The password of its repositories
// only the gateway tells it. The passwords of the user stay as they are.
func ModuleRules(id string, v Version) []string {
	return rules(ModuleUser(id), moduleReads, v)
}

// SharingModuleRules are those of a module that has no repository password of its own: it
// reads those of the destinations as well.
func SharingModuleRules(id string, v Version) []string {
	return rules(ModuleUser(id), append(slices.Clone(moduleReads), sharedPasswords), v)
}

// NodeRules are those of a node's user. It hears the cluster's events by itself,
// so that no other user has to be open for that.
func NodeRules(id string, v Version) []string {
	r := rules(NodeUser(id), nodeReads, v)
	if v.channels() {
		r = append(r, nodeHears...)
	}
	if v.ReadOnlyKeys() {
		r = append(r, nodeWrites...) // else they would be readable alone
	}
	// INFO says whether Redis may lose the credentials.
	return append(r, "+subscribe", "+psubscribe", "+info")
}

// AdminRules are those of somebody who may look at the page: no right in Redis at all.
func AdminRules(v Version) []string {
	r := []string{"on", "resetkeys", "-@all"}
	if v.channels() {
		r = append(r, "resetchannels")
	}
	return r
}

func rules(user string, reads []string, v Version) []string {
	r := []string{"on", "resetkeys", "-@all"}
	if v.channels() {
		r = append(r, "resetchannels", "&"+user+"/event/*", "&progress/"+user+"/*")
	}
	r = append(r, "~"+user+"/*")
	mode := "~"
	if v.ReadOnlyKeys() {
		mode = "%R~"
		r = append(r, "+@write")
	}
	for _, pattern := range reads {
		r = append(r, mode+pattern)
	}
	// Some of what reads and writes is not held by key patterns: FLUSHALL and
	// KEYS are dangerous, functions are scripts. RESTORE is, and it is needed.
	r = append(r, "+@read", "+@transaction", "+@connection", "+publish", "-@admin", "-@dangerous", "-@scripting")
	if v.ReadOnlyKeys() {
		r = append(r, "+restore")
	}
	return r
}

// SetPassword are the rules that make the password the only one.
func SetPassword(password string) []string { return []string{"resetpass", "#" + Digest(password)} }

// AddPassword are the rules that add a password to those that there are.
func AddPassword(password string) []string { return []string{"#" + Digest(password)} }

// Digest is how Redis keeps a password.
func Digest(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}
