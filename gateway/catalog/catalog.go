package catalog

import (
	"maps"
	"net/netip"

	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// Redis is the connection that a catalog is read over.
type Redis = redisconn.Config

// Snapshot is what Redis said at one moment. It is immutable: whoever holds it
// may read it without locks for as long as they like.
type Snapshot struct {
	// Principals by Redis user name, "node/1", "module/traefik1" or "admin/anna".
	Principals map[string]*Principal
	// Destinations by ID.
	Destinations map[string]*Destination
	// Broken tells, by ID, why a destination that Redis names cannot be used. It is
	// there anyway: nobody may be told that it does not exist.
	Broken map[string]string
	// Limits by the ID of a destination; where there is none, it has no limits.
	Limits map[string]Limits
	// Nodes by ID.
	Nodes map[string]*Node
	// Frozen are the repositories that modules may read and not write.
	Frozen map[Repository]Freeze
	// Schedules that are turned on, and those that are not.
	Schedules, OffSchedules []Schedule
	// Network is cluster/network, from which peers call; zero when unknown.
	Network netip.Prefix
	// LeaderID is the NODE_ID of the leader; empty when unknown.
	LeaderID string
	// Warnings name the entries that were left out, and never hold a secret.
	Warnings []Warning
}

// Warning is one entry of Redis that could not be used.
type Warning struct {
	Key    string // the Redis key, with the hash field or user name behind a space
	Reason string
}

// Role is what kind of user a principal is.
type Role uint8

// The roles. No other Redis user is a principal.
const (
	RoleModule Role = iota + 1
	RoleNode
	// RoleAdmin is a person who looks at the page: no repository is theirs to reach.
	RoleAdmin
)

// Principal is a Redis user that may use the gateway.
type Principal struct {
	Name string // the Redis user name
	Role Role
	ID   string // the name behind the slash: "1", "traefik1", "anna"
	Node string // the ID of the node that a module runs on; empty when unknown

	// Own are the repository paths "<app type>/<module UUID>" of a module: one,
	// or two where the image's name differs from the module ID's. Empty for
	// nodes, and for modules without a UUID.
	Own []string
	// Granted are the repository paths that the module may read to restore from.
	Granted []string

	passwords [][32]byte // SHA-256 digests, any of which is accepted
}

// Destination is a backup destination as Redis describes it.
type Destination struct {
	ID       string
	Name     string
	Provider string
	URL      string
	// Type is the rclone backend's name, e.g. "s3" or "local".
	Type string
	// Section holds the keys of the rclone section, "type" included. It is full
	// of secrets.
	Section map[string]string
	// Base is the path below which the destination's objects live, in the
	// remote's own terms: "bucket/folder", "share/folder", "/srv/repo".
	Base string
	// PeerNode is the ID of the node that holds this destination on its own disk,
	// when that is another node than ours. Type, Section and Base are empty then.
	PeerNode string
}

// Equal reports whether two descriptions are the same to the last setting.
func (d *Destination) Equal(other *Destination) bool {
	return d == other || d.ID == other.ID && d.Name == other.Name && d.Provider == other.Provider &&
		d.URL == other.URL && d.Type == other.Type && d.Base == other.Base &&
		d.PeerNode == other.PeerNode && maps.Equal(d.Section, other.Section)
}

// String is the destination's ID, so that no secret gets into a log.
func (d *Destination) String() string { return d.ID }

// Node is a node of the cluster.
type Node struct {
	ID        string
	IPAddress netip.Addr // in cluster/network
}
