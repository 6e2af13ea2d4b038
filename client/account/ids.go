package account

import (
	"crypto/rand"
	"fmt"
	"regexp"
)

// These patterns match names that are valid in user names, keys, paths and container names.
var (
	moduleID = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,99}$`)
	app      = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,98}[a-z0-9_-]$|^[a-z0-9]$`)
	nodeID   = regexp.MustCompile(`^[1-9][0-9]{0,8}$`)
	uuid     = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// ValidModuleID reports whether s can be the ID of a module, such as "myapp1".
func ValidModuleID(s string) bool { return moduleID.MatchString(s) }

// ValidApp reports whether s can be an application type, such as "myapp".
func ValidApp(s string) bool { return app.MatchString(s) }

// ValidNodeID reports whether s can be the ID of a node: a number from 1 on.
func ValidNodeID(s string) bool { return nodeID.MatchString(s) }

// ValidUUID reports whether s is a UUID in lower case.
func ValidUUID(s string) bool { return uuid.MatchString(s) }

// NewUUID makes a random UUID.
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:])         // never fails
	b[6] = b[6]&0x0f | 4<<4 // version 4: random
	b[8] = b[8]&0x3f | 1<<7 // the variant of RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// NodeUser returns the name of a node's Redis user.
func NodeUser(id string) string { return "node/" + id }

// ModuleUser returns the name of a module's Redis user.
func ModuleUser(id string) string { return "module/" + id }

// AdminUser returns the name of the Redis user of a person who may see the status pages.
func AdminUser(name string) string { return "admin/" + name }

// ValidAdmin reports whether s can be the name of a person who may see the status pages.
func ValidAdmin(s string) bool { return ValidApp(s) }
