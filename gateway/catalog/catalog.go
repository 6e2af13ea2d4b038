package catalog

import (
	"maps"
	"net/netip"

	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// Redis is a connection to Redis, as the reader of a catalog.
type Redis = redisconn.Config

// Snapshot is what Redis said at one moment. It is immutable: whoever holds it
// may read it without locks for as long as they like.
type Snapshot struct {
	// Principals by Redis user name, "node/1", "module/traefik1" or "admin/anna".
	Principals map[string]*Principal
	// Destinations by ID.
	Destinations map[string]*Destination
	// Broken says, by ID, why a destination cannot be used. Such a destination does exist:
	// no client may be told otherwise.
	Broken map[string]string
	// Limits by destination ID; a missing entry means no limits.
	Limits map[string]Limits
	// Nodes by ID.
	Nodes map[string]*Node
	// Frozen are the repositories that their modules may read but not write.
	Frozen map[Repository]Freeze
	// Schedules that are enabled, and those that are not.
	Schedules, OffSchedules []Schedule
	// Network is cluster/network, from which peers call; zero if unknown.
	Network netip.Prefix
	// LeaderID is the NODE_ID of the leader; empty when unknown.
	LeaderID string
	// Warnings list the entries that were left out. They hold no secret.
	Warnings []Warning
}

// Warning is an entry of Redis that could not be used.
type Warning struct {
	Key    string // Redis key, followed by a space and the hash field or user name
	Reason string
}

// Role is the kind of a principal.
type Role uint8

// The roles. Other Redis users are not principals.
const (
	RoleModule Role = iota + 1
	RoleNode
	// RoleAdmin is a person who uses the status pages, without access to repositories.
	RoleAdmin
)

// Principal is a Redis user that may use the gateway.
type Principal struct {
	Name string // the Redis user name
	Role Role
	ID   string // the name after the slash: "1", "traefik1", "anna"
	Node string // ID of the node that a module runs on; empty if unknown

	// Own are the repository paths "<app type>/<module UUID>" of a module: one, or two if
	// its image and its ID imply different types. Empty for nodes, and for modules without
	// a UUID.
	Own []string
	// Granted are the repository paths that the module may read to restore from.
	Granted []string

	passwords [][32]byte // SHA-256 digests; each is accepted
}

// Destination is a backup destination as Redis describes it.
type Destination struct {
	ID       string
	Name     string
	Provider string
	URL      string
	// Type is the rclone backend's name, e.g. "s3" or "local".
	Type string
	// Section holds the keys of the rclone section, including "type". It contains secrets.
	Section map[string]string
	// Base is the path above the destination's objects, in the remote's terms:
	// "bucket/folder", "share/folder", "/srv/repo".
	Base string
	// PeerNode is the ID of the other node that holds this destination on its own disk.
	// Type, Section and Base are empty then.
	PeerNode string
}

// Equal reports whether two descriptions are equal in every setting.
func (d *Destination) Equal(other *Destination) bool {
	return d == other || d.ID == other.ID && d.Name == other.Name && d.Provider == other.Provider &&
		d.URL == other.URL && d.Type == other.Type && d.Base == other.Base &&
		d.PeerNode == other.PeerNode && maps.Equal(d.Section, other.Section)
}

// String returns the destination's ID, so that no secret gets into a log.
func (d *Destination) String() string { return d.ID }

// Node is a node of the cluster.
type Node struct {
	ID        string
	IPAddress netip.Addr // within cluster/network
}
