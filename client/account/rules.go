package account

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Version is a version of Redis, as far as ACLs depend on it.
type Version struct{ Major, Minor int }

// ParseVersion finds the version in the reply to INFO server. Without one it returns 7.0,
// the version of NethServer 8.
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

// String returns the version as major.minor.
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// HasACLs reports whether this Redis has ACL users.
func (v Version) HasACLs() bool { return v.Major >= 6 }

// ReadOnlyKeys reports whether a user can be limited to reading some keys. Older versions
// let a user write every key that it can read, if it may write at all.
func (v Version) ReadOnlyKeys() bool { return v.Major >= 7 }

func (v Version) channels() bool { return v.Major > 6 || v.Major == 6 && v.Minor >= 2 }

// moduleReads are the keys that a module reads for backups and restores: its schedules, and
// the destinations without their secrets.
var moduleReads = []string{"cluster/backup/*", "cluster/backup_repository/*"}

// sharedPasswords are the repository passwords of destinations, for modules without a
// password of their own.
const sharedPasswords = "private/agents/backup_destination/restic_password"

// nodeReads are the keys that a node's gateway reads. It serves every module.
var nodeReads = []string{"cluster/*", "node/*", "module/*", "private/agents/*", "private/nodes/*"}

// nodeWrites are the keys outside its own that a node's gateway writes: its pages pause
// schedules.
var nodeWrites = []string{"~cluster/backup_plan/*"}

// nodeChannels are the channels that a node subscribes to. Publishing on them only makes
// gateways reload.
var nodeChannels = []string{"&cluster/event/acl-changed", "&cluster/event/backup-destination-changed", "&cluster/event/backup-schedule-changed", "&node/*/event/backup-frozen-changed"}

// ModuleRules returns the ACL SETUSER rules of a module's user: its own keys and channels,
// and read access to what backups and restores need. The password of its repositories is
// not among that; the gateway hands it out. The user's passwords stay unchanged.
func ModuleRules(id string, v Version) []string {
	return rules(ModuleUser(id), moduleReads, v)
}

// SharingModuleRules returns the rules of a module without a repository password of its
// own: it may also read the passwords of destinations.
func SharingModuleRules(id string, v Version) []string {
	return rules(ModuleUser(id), append(slices.Clone(moduleReads), sharedPasswords), v)
}

// NodeRules returns the rules of a node's user. The node subscribes to events as itself, so
// that the default user need not be open.
func NodeRules(id string, v Version) []string {
	r := rules(NodeUser(id), nodeReads, v)
	if v.channels() {
		r = append(r, nodeChannels...)
	}
	if v.ReadOnlyKeys() {
		r = append(r, nodeWrites...) // otherwise these keys would be read-only
	}
	// INFO shows whether Redis can lose the credentials.
	return append(r, "+subscribe", "+psubscribe", "+info")
}

// AdminRules returns the rules of a person who may see the status pages: no permission in
// Redis.
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
	// Key patterns do not restrict every command of these categories: @dangerous has
	// FLUSHALL and KEYS, @scripting has functions. RESTORE is dangerous too, but needed.
	r = append(r, "+@read", "+@transaction", "+@connection", "+publish", "-@admin", "-@dangerous", "-@scripting")
	if v.ReadOnlyKeys() {
		r = append(r, "+restore")
	}
	return r
}

// SetPassword returns the rules that replace all passwords by this one.
func SetPassword(password string) []string { return []string{"resetpass", "#" + Digest(password)} }

// AddPassword returns the rules that add a password.
func AddPassword(password string) []string { return []string{"#" + Digest(password)} }

// Digest returns the SHA-256 by which Redis stores a password.
func Digest(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}
