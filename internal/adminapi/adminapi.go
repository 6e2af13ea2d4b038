// Package adminapi is what a gateway and its administrators' tools say to each
// other: the paths below /-/ and the JSON that is sent there. The gateway takes it
// from callers on its own host, with the credentials of a node, and logs none of it.
package adminapi

import (
	"encoding/json"
	"time"
)

// Paths of the endpoint; all take POST.
const (
	CheckPath   = "/-/destination/check"
	ObscurePath = "/-/destination/obscure"
	SpacePath   = "/-/destination/space"
)

// HealthPath takes GET, with the query repository=DESTINATION/APP/UUID, and
// write=true where the answer must say if the storage takes writes. It is for
// everybody who may read that repository, from every address that the gateway serves.
const HealthPath = "/-/destination/health"

// States of a destination in a [HealthReply].
const (
	HealthWorks      = "works"
	HealthUnreadable = "unreadable" // it cannot be opened, or not read
	HealthUnwritable = "unwritable" // it is read, and refuses writes
)

// HealthReply says how the destination of a repository is. It holds no secret, and
// nothing that the storage said.
type HealthReply struct {
	Destination string `json:"destination"`
	Name        string `json:"name"`
	State       string `json:"state"`
	// KeyRefused is true where the storage refuses the gateway's credentials, or their
	// rights do not suffice.
	KeyRefused bool `json:"key_refused,omitempty"`
	// Reason says what is wrong and what to do.
	Reason string `json:"reason,omitempty"`
	// RequestID is what the gateway's log calls this request.
	RequestID string `json:"request_id"`
}

// The named errors of NethServer 8 that a check ends with.
const (
	NoReadPermission   = "no_read_permission"
	NoWritePermission  = "no_write_permission"
	NoDeletePermission = "no_delete_permission"
	NotAccessible      = "backup_repository_not_accessible"
)

// CheckRequest asks to test a destination: the one that Redis knows by ID, or
// else a candidate, of which Redis knows nothing yet.
type CheckRequest struct {
	ID        string     `json:"id"`
	Candidate *Candidate `json:"candidate,omitempty"`
	// Conformance runs the conformance suite too, in a folder of its own.
	Conformance bool `json:"conformance,omitempty"`
}

// Candidate is a destination as it would stand in Redis. Section is full of
// secrets.
type Candidate struct {
	Provider string `json:"provider"`
	URL      string `json:"url"`
	BasePath string `json:"basepath"`
	Section  string `json:"rclone_conf"`
}

// CheckReport says how a check went. It holds no secret.
type CheckReport struct {
	ID   string `json:"id"`
	Type string `json:"type"` // of the rclone remote
	// Node is the ID of the node on whose disk the destination is, where that is
	// another one; nothing was tested then.
	Node string `json:"node,omitempty"`
	// Error is one of the named errors, empty where all is well.
	Error string `json:"error,omitempty"`
	// Reason tells an administrator what is wrong and what to do.
	Reason string `json:"reason,omitempty"`
	// Detail is what the storage said.
	Detail string `json:"detail,omitempty"`
	Steps  []Step `json:"steps,omitempty"`
	// Notes are what an administrator should know of a destination that works.
	Notes []string `json:"notes,omitempty"`
	// Undo is what becomes of what is deleted there, where the destination works.
	Undo *Undo `json:"undo,omitempty"`
	// Repository is one that the storage of a candidate holds already.
	Repository *Repository `json:"repository,omitempty"`
	// Conformance are the results of the suite, where it was asked for.
	Conformance []Conformance `json:"conformance,omitempty"`
}

// Conforms reports whether no test of the conformance suite failed, but for those
// that the gateway makes up for.
func (r *CheckReport) Conforms() bool {
	for _, c := range r.Conformance {
		if len(c.Failures) > 0 && c.Tolerated == "" {
			return false
		}
	}
	return true
}

// Repository is a restic repository that was found, by its path below the destination.
type Repository struct {
	Path string `json:"path"`
	// Keys are its key files, as restic wrote them: one of them opens with the
	// password of the repository.
	Keys []json.RawMessage `json:"keys"`
}

// Step is one thing that was tried: open, list, write, read, delete, pack.
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
	// Tolerated says what the failures mean, where backups can live with them.
	Tolerated string `json:"tolerated,omitempty"`
}

// State tells people the result.
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

// ObscureRequest asks for the values of an rclone section of that type as rclone
// wants them in its configuration: those of passwords obscured, all others as
// they are.
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

// Space is the storage that a destination lies on, in bytes, with all that others
// keep there too. What the storage does not tell, or not soon enough, is null.
type Space struct {
	Free  *int64 `json:"free"`
	Used  *int64 `json:"used"`
	Total *int64 `json:"total"`
	// Held is what the destination's own backups take, where a quota has it counted.
	Held *int64 `json:"held"`
	// Trash is what is kept of deleted objects, once it was counted.
	Trash *int64 `json:"trash"`
}

// Paths of the trash; both take POST. What is emptied before it expires is taken from
// the gateway's own user on its own host alone, by its administrative socket.
const (
	TrashListPath    = "/-/trash/list"
	TrashRestorePath = "/-/trash/restore"
	TrashEmptyPath   = "/-/trash/empty"
)

// SocketName is that of the administrative socket in the gateway's state directory.
const SocketName = "admin.sock"

// TrashRequest chooses deleted objects; what it leaves out chooses all.
type TrashRequest struct {
	Destination string `json:"destination"`
	// Repository is APP/UUID.
	Repository string   `json:"repository,omitempty"`
	Kinds      []string `json:"kinds,omitempty"`
	// Name is the beginning of an object's name; Names are whole ones.
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

// TrashDone answers a TrashRestorePath or a TrashEmptyPath: how many objects, of how
// many bytes, were brought back or are gone for good. Of those that are there already,
// or went meanwhile, none was brought back.
type TrashDone struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
	Skipped int64 `json:"skipped,omitempty"`
}

// LeasePath takes POST to get a lease of a repository, PUT to renew it and DELETE to release
// it, each with a [LeaseRequest], from every address that the gateway serves. Who may save
// to the repository may hold one.
const LeasePath = "/-/lease"

// LeaseRequest asks for a lease.
type LeaseRequest struct {
	// Repository is DESTINATION/APP/UUID.
	Repository string `json:"repository"`
	// Purpose is what a new lease is for, such as backup, for people to read.
	Purpose string `json:"for,omitempty"`
	// Token is that of the lease to renew or release.
	Token string `json:"token,omitempty"`
	// Lockers are what restic's locks of this run name: a host name, for a native restic
	// with its process behind a space. A renewal may add some.
	Lockers []string `json:"lockers,omitempty"`
	// Clean says, when a lease is released, that the repository holds no locks of dead runs.
	Clean bool `json:"clean,omitempty"`
}

// LeaseReply answers it. Its status is 200 whether a lease was granted or not.
type LeaseReply struct {
	Token   string `json:"token,omitempty"`
	Counter int64  `json:"counter,omitempty"`
	// Seconds is how long the lease lives unless it is renewed.
	Seconds float64 `json:"seconds,omitempty"`
	// Dead are the lockers of runs that ended without a release: their locks belong to
	// nobody.
	Dead []string `json:"dead,omitempty"`
	// Held is set where somebody else has it, and nothing was granted.
	Held *HeldLease `json:"held,omitempty"`
	// Lost is true where the lease is not the caller's any longer.
	Lost bool `json:"lost,omitempty"`
}

// HeldLease is a lease of somebody else.
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
	// Changed is false where the repository was frozen, or not frozen, already.
	Changed bool `json:"changed"`
	// Since and By are of the freeze that holds, or held.
	Since time.Time `json:"since,omitzero"`
	By    string    `json:"by,omitempty"`
}

// HistoryReply answers a HistoryPath, by days of UTC.
type HistoryReply struct {
	// Horizon is before when the repository cannot be had as it was; zero where nothing
	// was purged.
	Horizon time.Time `json:"horizon,omitzero"`
	// Frozen is since when the repository is frozen, FrozenBy who did that.
	Frozen   time.Time `json:"frozen,omitzero"`
	FrozenBy string    `json:"frozen_by,omitempty"`
	// Days are those on which anything was received or deleted that is there or kept, the
	// first one first.
	Days []HistoryDay `json:"days"`
	// Snapshots are those that are there or kept, by their receipt.
	Snapshots []HistorySnapshot `json:"snapshots"`
	// Malformed are objects that are not what restic saves.
	Malformed []Malformed `json:"malformed"`
	// Deeds are what the audit log of this gateway says was done, AuditHead is its head.
	Deeds     []Deed `json:"deeds"`
	AuditHead string `json:"audit_head,omitempty"`
}

// HistoryDay is what came and went on a day, by kind of object.
type HistoryDay struct {
	Day      string           `json:"day"`
	Received map[string]Count `json:"received"`
	Deleted  map[string]Count `json:"deleted"`
}

// Count is how many objects, of how many bytes together.
type Count struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// HistorySnapshot is a snapshot, as the storage knows it.
type HistorySnapshot struct {
	ID       string    `json:"id"`
	Size     int64     `json:"size"` // of its own file
	Received time.Time `json:"received,omitzero"`
	Deleted  time.Time `json:"deleted,omitzero"` // zero: it is there
	ByNode   bool      `json:"by_node,omitempty"`
}

// Malformed is an object that is not what restic saves.
type Malformed struct {
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	Received time.Time `json:"received,omitzero"`
	Deleted  time.Time `json:"deleted,omitzero"` // zero: it is there
	Why      string    `json:"why"`
}

// Deed is what somebody did to the repository on a day.
type Deed struct {
	Day   string `json:"day"`
	What  string `json:"what"`
	Kind  string `json:"kind,omitempty"`
	Who   string `json:"who"`
	Count int    `json:"count"`
}

// RollbackRequest asks to make a repository what it was at a time.
type RollbackRequest struct {
	Destination string    `json:"destination"`
	Repository  string    `json:"repository"`
	To          time.Time `json:"to"`
	// Keys takes the keys and the config along.
	Keys bool `json:"keys,omitempty"`
	// DryRun only says what would be done.
	DryRun bool `json:"dry_run,omitempty"`
}

// RollbackReply says what was done, or would be.
type RollbackReply struct {
	// Leaving were received since and went to the trash, by kind; Returning were deleted
	// since and came back; Locks were removed.
	Leaving   map[string]int `json:"leaving"`
	Returning map[string]int `json:"returning"`
	Locks     int            `json:"locks"`
	// Frozen is true where the repository is frozen now.
	Frozen bool `json:"frozen"`
	// Horizon is set where the time is before it: nothing was done then.
	Horizon time.Time `json:"horizon,omitzero"`
}

// PairPath takes POST, with a [PairRequest] and without credentials, from every address
// that the gateway serves: whoever has a pairing code gets the settings of its module, once.
const PairPath = "/-/module/pair"

// PairRequest asks for what a pairing code is for.
type PairRequest struct {
	// Ticket is derived from the code, which the gateway never sees.
	Ticket string `json:"ticket"`
}

// PairReply answers it.
type PairReply struct {
	// Sealed are the settings, encrypted with the code.
	Sealed []byte `json:"sealed"`
}
