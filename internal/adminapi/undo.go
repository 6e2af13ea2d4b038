package adminapi

import (
	"fmt"
	"time"
)

// Undo says what happens to objects that are deleted at a destination, through the gateway
// or past it with the storage's keys.
type Undo struct {
	// Kind is how the gateway keeps them: UndoRename, UndoMarks or UndoNone.
	Kind string `json:"kind"`
	// KeepSeconds is how long.
	KeepSeconds int64 `json:"keep_seconds"`
	// Receipts says what happens to the time of an object that is uploaded again:
	// ReceiptsKept, ReceiptsLook or ReceiptsRenewed; empty if unknown.
	Receipts string `json:"receipts,omitempty"`
	// Versions says whether the storage keeps versions of deleted objects: VersionsKept,
	// VersionsNone or VersionsUnknown.
	Versions string `json:"versions"`
	// Directory is true for a directory, which has no keys.
	Directory bool `json:"directory,omitempty"`
	// KeyDeletesVersions says whether the destination's keys can delete those versions, if
	// that was tested.
	KeyDeletesVersions *bool `json:"key_deletes_versions,omitempty"`
}

// Kinds of an [Undo].
const (
	UndoRename = "rename" // everything is renamed into the trash
	UndoMarks  = "marks"  // packs stay in place with a mark, everything else is copied
	UndoNone   = "none"   // nothing is kept
)

// What happens to the time of an object that is uploaded again.
const (
	ReceiptsKept    = "kept"    // it stays, without additional cost
	ReceiptsLook    = "look"    // it stays, since the gateway checks before
	ReceiptsRenewed = "renewed" // the time of the last upload counts
)

// What the storage keeps by itself.
const (
	VersionsKept    = "kept"
	VersionsNone    = "none"
	VersionsUnknown = "unknown"
)

// Lines describes it for people.
func (u *Undo) Lines() []string {
	lines := []string{u.kept(), u.pastTheGateway()}
	switch u.Receipts {
	case ReceiptsLook:
		lines = append(lines, "each upload looks first whether its object is there, so that nobody renews the time of an old one: the storage does not refuse to replace objects")
	case ReceiptsRenewed:
		lines = append(lines, "an object that is uploaded again gets a new time: a module can hide its own old objects from a rollback, which then moves them to the trash")
	}
	return lines
}

// kept describes what the gateway keeps.
func (u *Undo) kept() string {
	keep := (time.Duration(u.KeepSeconds) * time.Second).String()
	if day := int64(24 * 60 * 60); u.KeepSeconds > 0 && u.KeepSeconds%day == 0 {
		keep = fmt.Sprintf("%d days", u.KeepSeconds/day)
	}
	switch u.Kind {
	case UndoRename:
		return "what is deleted through the gateway is renamed into the trash and kept for " + keep
	case UndoMarks:
		return "what is deleted through the gateway is kept for " + keep + ": packs under marks, all else as copies"
	}
	return "nothing that is deleted is kept (keep-deleted is 0)"
}

// pastTheGateway describes who can delete permanently anyway.
func (u *Undo) pastTheGateway() string {
	const holder = "whoever holds the storage's keys, which on NethServer 8 a node's Redis user can read, deletes for good, past the gateway and its trash"
	switch {
	case u.Directory:
		return "it is a directory: whoever is root on its node, or the gateway's user, deletes for good, past the gateway and its trash"
	case u.Versions == VersionsNone:
		return "the storage keeps no versions: " + holder
	case u.Versions == VersionsKept && u.KeyDeletesVersions != nil && !*u.KeyDeletesVersions:
		return "the storage keeps versions, and its keys do not delete them: what is deleted with the keys, past the gateway, comes back with the storage's own tools. What expires in the trash takes space until a lifecycle rule removes its versions"
	case u.Versions == VersionsKept && u.KeyDeletesVersions != nil:
		return "the storage keeps versions, but its keys delete them too: " + holder
	case u.Versions == VersionsKept:
		return "the storage keeps versions; unless its keys cannot delete them, " + holder
	}
	return "whether the storage keeps versions cannot be asked; unless it does, and its keys cannot delete them, " + holder
}
