// Package adminapi defines the paths below /-/, and the JSON, between a gateway and the
// programs that administer it. The gateway accepts administrative requests from callers on
// its own host with the credentials of a node, and logs no content.
package adminapi

import (
	"encoding/json"
	"time"
)

// Paths for administrators; all take POST.
const (
	CheckPath   = "/-/destination/check"
	ObscurePath = "/-/destination/obscure"
	SpacePath   = "/-/destination/space"
)

// HealthPath takes GET, with the query repository=DESTINATION/APP/UUID, plus write=true to
// test whether the storage accepts writes. It is open to every reader of that repository,
// from every address that the gateway serves.
const HealthPath = "/-/destination/health"

// States of a destination in a [HealthReply].
const (
	HealthWorks      = "works"
	HealthUnreadable = "unreadable" // it cannot be opened or read
	HealthUnwritable = "unwritable" // it can be read, but refuses writes
)

// HealthReply describes the destination of a repository. It holds no secret, and no message
// of the storage.
type HealthReply struct {
	Destination string `json:"destination"`
	Name        string `json:"name"`
	State       string `json:"state"`
	// KeyRefused is true if the storage refuses the gateway's credentials, or they lack
	// permissions.
	KeyRefused bool `json:"key_refused,omitempty"`
	// Reason describes the problem and the remedy.
	Reason string `json:"reason,omitempty"`
	// RequestID is the request's ID in the gateway's log.
	RequestID string `json:"request_id"`
}

// Named errors of NethServer 8 for failed checks.
const (
	NoReadPermission   = "no_read_permission"
	NoWritePermission  = "no_write_permission"
	NoDeletePermission = "no_delete_permission"
	NotAccessible      = "backup_repository_not_accessible"
)

// CheckRequest asks for a test of a destination: the one in Redis with that ID, or a
// candidate that is not in Redis yet.
type CheckRequest struct {
	ID        string     `json:"id"`
	Candidate *Candidate `json:"candidate,omitempty"`
	// Conformance also runs the conformance suite, in its own folder.
	Conformance bool `json:"conformance,omitempty"`
}

// Candidate is a destination as it would be stored in Redis. Section holds secrets.
type Candidate struct {
	Provider string `json:"provider"`
	URL      string `json:"url"`
	BasePath string `json:"basepath"`
	Section  string `json:"rclone_conf"`
}

// CheckReport is the result of a check. It holds no secret.
type CheckReport struct {
	ID   string `json:"id"`
	Type string `json:"type"` // of the rclone remote
	// Node is the ID of the other node whose disk holds the destination, if so; then
	// nothing was tested.
	Node string `json:"node,omitempty"`
	// Error is one of the named errors, empty if everything works.
	Error string `json:"error,omitempty"`
	// Reason describes the problem and the remedy.
	Reason string `json:"reason,omitempty"`
	// Detail is the storage's message.
	Detail string `json:"detail,omitempty"`
	Steps  []Step `json:"steps,omitempty"`
	// Notes are remarks about a working destination.
	Notes []string `json:"notes,omitempty"`
	// Undo says what happens to deleted objects there, if the destination works.
	Undo *Undo `json:"undo,omitempty"`
	// Repository is a repository that the candidate's storage already holds.
	Repository *Repository `json:"repository,omitempty"`
	// Conformance holds the results of the suite, if it ran.
	Conformance []Conformance `json:"conformance,omitempty"`
}

// Conforms reports whether no test of the conformance suite failed, except those that the
// gateway compensates for.
func (r *CheckReport) Conforms() bool {
	for _, c := range r.Conformance {
		if len(c.Failures) > 0 && c.Tolerated == "" {
			return false
		}
	}
	return true
}

// Repository is an existing restic repository, by its path below the destination.
type Repository struct {
	Path string `json:"path"`
	// Keys are its key files, as restic wrote them: the password of the repository opens
	// one of them.
	Keys []json.RawMessage `json:"keys"`
}

// Step is a step of a check: open, list, write, read, delete, pack.
type Step struct {
	Name    string  `json:"name"`
	OK      bool    `json:"ok"`
	Seconds float64 `json:"seconds"`
}

// Conformance is the result of one test of the conformance suite.
type Conformance struct {
	Name     string   `json:"name"`
	Skipped  bool     `json:"skipped,omitempty"`
	Failures []string `json:"failures,omitempty"`
	// Tolerated says what the failures mean, if backups work in spite of them.
	Tolerated string `json:"tolerated,omitempty"`
}

// State describes the result.
func (c *Conformance) State() string {
	switch {
	case c.Skipped:
		return "skipped"
	case len(c.Failures) == 0:
		return "ok"
	case c.Tolerated != "":
		return "weak: " + c.Tolerated + " (" + c.Failures[0] + ")"
	}
	return "FAILED: " + c.Failures[0]
}

// ObscureRequest asks for the values of an rclone section of that type in the form for
// rclone's configuration: passwords obscured, all others unchanged.
type ObscureRequest struct {
	Type   string            `json:"type"`
	Values map[string]string `json:"values"`
}

// ObscureReply answers it.
type ObscureReply struct {
	Values map[string]string `json:"values"`
}

// SpaceReply answers an empty request for the space of all destinations, by ID.
type SpaceReply struct {
	Destinations map[string]Space `json:"destinations"`
}

// Space is the capacity of a destination's storage, in bytes, including other data there.
// Unknown values are null.
type Space struct {
	Free  *int64 `json:"free"`
	Used  *int64 `json:"used"`
	Total *int64 `json:"total"`
	// Held is the size of the destination's own backups, if a quota has them counted.
	Held *int64 `json:"held"`
	// Trash is the size of the trash, once it was counted.
	Trash *int64 `json:"trash"`
}

// Paths of the trash; all take POST. Emptying it is only possible on the administrative
// socket, for the gateway's own user.
const (
	TrashListPath    = "/-/trash/list"
	TrashRestorePath = "/-/trash/restore"
	TrashEmptyPath   = "/-/trash/empty"
)

// SocketName is the name of the administrative socket in the gateway's state directory.
const SocketName = "admin.sock"

// TrashRequest selects deleted objects; empty fields select all.
type TrashRequest struct {
	Destination string `json:"destination"`
	// Repository is APP/UUID.
	Repository string   `json:"repository,omitempty"`
	Kinds      []string `json:"kinds,omitempty"`
	// Name is the beginning of an object's name; Names are complete ones.
	Name  string   `json:"name,omitempty"`
	Names []string `json:"names,omitempty"`
	// Since and Before bound the time of deletion.
	Since  time.Time `json:"since,omitzero"`
	Before time.Time `json:"before,omitzero"`
}

// TrashReply answers a TrashListPath.
type TrashReply struct {
	Objects []Deleted `json:"objects"`
}

// Deleted is an object in the trash.
type Deleted struct {
	Repository string    `json:"repository"`
	Kind       string    `json:"kind"`
	Name       string    `json:"name"`
	Size       int64     `json:"size"`
	Received   time.Time `json:"received,omitzero"`
	Deleted    time.Time `json:"deleted"`
	Expires    time.Time `json:"expires"`
}

// TrashDone answers a TrashRestorePath or a TrashEmptyPath: how many objects, of how many
// bytes, were restored or purged. Objects that exist already, or were purged meanwhile, do
// not count as restored.
type TrashDone struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
	Skipped int64 `json:"skipped,omitempty"`
}

// LeasePath takes POST to get a lease of a repository, PUT to renew it and DELETE to
// release it, each with a [LeaseRequest]. It is open to everybody who may save to the
// repository, from every address that the gateway serves.
const LeasePath = "/-/lease"

// LeaseRequest asks for a lease.
type LeaseRequest struct {
	// Repository is DESTINATION/APP/UUID.
	Repository string `json:"repository"`
	// Purpose says what a new lease is for, such as backup. It is shown to people.
	Purpose string `json:"for,omitempty"`
	// Token identifies the lease to renew or release.
	Token string `json:"token,omitempty"`
	// Lockers are what restic's locks of this run name: a host name; for a native restic, a
	// space and its process ID follow. A renewal may add some.
	Lockers []string `json:"lockers,omitempty"`
	// Clean says, at a release, that the repository holds no locks of dead runs.
	Clean bool `json:"clean,omitempty"`
}

// LeaseReply answers it. Its status is 200 even if no lease was granted.
type LeaseReply struct {
	Token   string `json:"token,omitempty"`
	Counter int64  `json:"counter,omitempty"`
	// Seconds is how long the lease lives without a renewal.
	Seconds float64 `json:"seconds,omitempty"`
	// Dead are the lockers of runs that ended without a release: their locks are stale.
	Dead []string `json:"dead,omitempty"`
	// Held is set if another user holds the lease, so none was granted.
	Held *HeldLease `json:"held,omitempty"`
	// Lost is true if the lease is no longer the caller's.
	Lost bool `json:"lost,omitempty"`
}

// HeldLease is another user's lease.
type HeldLease struct {
	Holder  string    `json:"holder"`
	Purpose string    `json:"for"`
	Since   time.Time `json:"since"`
	Seconds float64   `json:"seconds"`
}

// Paths of repositories; all take POST, from nodes on this host.
const (
	RollbackPath = "/-/repository/rollback"
	FreezePath   = "/-/repository/freeze"
	ThawPath     = "/-/repository/thaw"
	HistoryPath  = "/-/repository/history"
)

// RepositoryRequest names a repository.
type RepositoryRequest struct {
	Destination string `json:"destination"`
	Repository  string `json:"repository"`
}

// FreezeReply answers a FreezePath or a ThawPath.
type FreezeReply struct {
	// Changed is false if the repository was already frozen, or not frozen.
	Changed bool `json:"changed"`
	// Since and By describe the present freeze, or the one that was ended.
	Since time.Time `json:"since,omitzero"`
	By    string    `json:"by,omitempty"`
}

// HistoryReply answers a HistoryPath, by days of UTC.
type HistoryReply struct {
	// Horizon is the time before which past states are not available; zero if nothing was
	// purged.
	Horizon time.Time `json:"horizon,omitzero"`
	// Frozen is when the repository was frozen, zero if it is not; FrozenBy who did that.
	Frozen   time.Time `json:"frozen,omitzero"`
	FrozenBy string    `json:"frozen_by,omitempty"`
	// Days are the days on which something that exists or is in the trash was received or
	// deleted, in order.
	Days []HistoryDay `json:"days"`
	// Snapshots are those that exist or are in the trash, by receipt.
	Snapshots []HistorySnapshot `json:"snapshots"`
	// Malformed are objects that are not restic's.
	Malformed []Malformed `json:"malformed"`
	// Deeds are from the audit log of this gateway, whose head is AuditHead.
	Deeds     []Deed `json:"deeds"`
	AuditHead string `json:"audit_head,omitempty"`
}

// HistoryDay counts what was received and deleted on a day, by kind of object.
type HistoryDay struct {
	Day      string           `json:"day"`
	Received map[string]Count `json:"received"`
	Deleted  map[string]Count `json:"deleted"`
}

// Count is a number of objects, and their total size.
type Count struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// HistorySnapshot is a snapshot, as known by the storage.
type HistorySnapshot struct {
	ID       string    `json:"id"`
	Size     int64     `json:"size"` // of its file
	Received time.Time `json:"received,omitzero"`
	Deleted  time.Time `json:"deleted,omitzero"` // zero: it exists
	ByNode   bool      `json:"by_node,omitempty"`
}

// Malformed is an object that is not restic's.
type Malformed struct {
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	Received time.Time `json:"received,omitzero"`
	Deleted  time.Time `json:"deleted,omitzero"` // zero: it exists
	Why      string    `json:"why"`
}

// Deed is an action on the repository on a day.
type Deed struct {
	Day   string `json:"day"`
	What  string `json:"what"`
	Kind  string `json:"kind,omitempty"`
	Who   string `json:"who"`
	Count int    `json:"count"`
}

// RollbackRequest asks to return a repository to its state at a time.
type RollbackRequest struct {
	Destination string    `json:"destination"`
	Repository  string    `json:"repository"`
	To          time.Time `json:"to"`
	// Keys includes the keys and the config.
	Keys bool `json:"keys,omitempty"`
	// DryRun only says what would be done.
	DryRun bool `json:"dry_run,omitempty"`
}

// RollbackReply says what was done or, in a dry run, would be done.
type RollbackReply struct {
	// Leaving counts objects that were received since then and moved to the trash, by kind;
	// Returning those that were deleted since then and restored; Locks those that were
	// removed.
	Leaving   map[string]int `json:"leaving"`
	Returning map[string]int `json:"returning"`
	Locks     int            `json:"locks"`
	// Frozen is true where the repository is frozen now.
	Frozen bool `json:"frozen"`
	// Horizon is set if the requested time is before it: then nothing was done.
	Horizon time.Time `json:"horizon,omitzero"`
}

// PairPath takes POST, with a [PairRequest] and without credentials, from every address
// that the gateway serves: with a pairing code, a host gets the settings of its module,
// once.
const PairPath = "/-/module/pair"

// PairRequest redeems a pairing code.
type PairRequest struct {
	// Ticket is derived from the code, which the gateway never sees.
	Ticket string `json:"ticket"`
}

// PairReply answers it.
type PairReply struct {
	// Sealed holds the settings, encrypted with the code.
	Sealed []byte `json:"sealed"`
}
