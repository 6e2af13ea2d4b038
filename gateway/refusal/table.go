package refusal

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Kind is a row of the table: an error and what is said about it. A field that a row leaves
// out comes from the next row whose error is in the chain too.
type Kind struct {
	Err error
	// Status is the HTTP status. 401, 403, 404, 416 and 507 end a running backup, as the
	// protocol's contract says, so none of them may stand for a temporary failure.
	Status int
	// Public is the text for the client instead of the status's own text. It must not
	// reveal anything.
	Public string
	// Condition is the WebDAV precondition that the request violates, for the body of the
	// response.
	Condition string
	// Auth and Upload are the reasons in the metrics of refused callers and uploads.
	Auth, Upload string
	// Outcome is what the error says about its destination, Class the class of the failure
	// there.
	Outcome Outcome
	Class   Class
	// Hint is advice for administrators, for the log.
	Hint string
	// Advice is the same for a check of a destination, and for the log if a row has no
	// Hint. Reached is true if the storage was reached and accepted the login, but refused;
	// Permission if it refused one kind of operation.
	Advice     string
	Reached    bool
	Permission bool
}

// HintRedis is the advice while Redis cannot be read.
const HintRedis = "check that Redis runs at the address of --redis-address and accepts the gateway's user and password; rclone-gateway check-config says more"

const adviceType = "this gateway knows no storage of that type: check the type, or run a gateway with all backends (make build)"

const adviceCrowded = "the server allows fewer connections than the gateway opens: set concurrency in the section to less than it allows (concurrency = 3 where it allows 4)"

const adviceThrottled = "the storage wants fewer requests: lower the destination's limits with gatewayctl destination alter, back up at other hours, or have the provider raise its own"

const adviceSlow = "the storage does not answer in time: check the address, the firewall and the server's load"

// table is searched in order.
var table = []Kind{
	{
		Err: ErrNoCredentials, Auth: "no_credentials",
		Hint: "the client sent no user and password: give restic (0.16.1 and newer) RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD, or a URL that holds them, in which the slash of the user is %2F: rest:http://module%2Fmail1:PASSWORD@HOST:4694/…",
	},
	{
		Err: ErrUnknownUser, Auth: "unknown_user",
		Hint: "check the user name that the client sends; if Redis has that user, look for a line here that says it was left out",
	},
	{
		Err: ErrWrongPassword, Auth: "wrong_password",
		Hint: "give the client the password that Redis has for this user; many such lines from one address may be an attack",
	},
	{
		Err: ErrUnauthenticated, Status: http.StatusUnauthorized,
		Hint: "give the client a user and password that Redis knows",
	},
	{
		Err:    ErrKey,
		Public: "403 Forbidden: the repository was begun, and only a node adds keys to it",
		Hint:   "a module saves the one key of a new repository; have a node run restic key add or passwd. Where nobody did, somebody may have the module's password",
	},
	{
		Err: ErrScope, Status: http.StatusForbidden, Auth: "scope",
		Hint: "a module reaches its own repository and those it was granted to restore from, and deletes nothing but locks: check the URL, and use a node's user to forget and prune",
	},
	{
		Err: ErrAddress, Status: http.StatusForbidden, Auth: "address",
		Hint: "let the client call from this host, or name its network with --allow-from",
	},
	{
		Err: ErrAttempts, Status: http.StatusTooManyRequests, Auth: "attempts",
		Hint: "somebody guesses passwords or pairing codes, or has a wrong one stored: the page about activity names the address; logins from there work again within ten minutes",
	},
	{
		Err: ErrRepository, Upload: "invalid",
		Hint: "what is in a repository is changed by restic: forget, prune or copy with it; a file put there must hash to its name",
	},
	{
		Err: ErrInfiniteDepth, Status: http.StatusForbidden, Condition: "propfind-finite-depth",
		Hint: "have the client send Depth: 0 or Depth: 1; without the header it means all levels at once",
	},
	{
		Err: ErrLease, Status: http.StatusForbidden,
		Public: "403 Forbidden: nothing is deleted here without a lease; use gatewayctl, which gets one",
		Hint:   "gatewayctl run-backup, forget and restic-wrapper get a lease before they delete; where plain restic must, have the destination demand none with gatewayctl destination alter --leases no",
	},
	{
		Err: ErrPast, Upload: "past",
		Public: "403 Forbidden: a repository as it was is read-only",
		Hint:   "a path with a time (APP/UUID@TIME) is what the repository was then, to restore from and to check: back up to the path without it",
	},
	{
		Err: ErrFrozen, Upload: "frozen",
		Public: "403 Forbidden: the repository is frozen: the module may read and not write",
		Hint:   "an administrator froze the repository, or rolled it back: change the module's password if somebody else may have it (gatewayctl module passwd), then gatewayctl repository thaw",
	},
	{
		Err: storage.ErrHorizon, Status: http.StatusForbidden, Outcome: Answered,
		Public: "403 Forbidden: that time cannot be had any more",
		Hint:   "what was deleted then was purged, or vanished by other programs: ask for the time that the error names, or a later one; gatewayctl destination alter --keep-deleted keeps more",
	},
	{
		Err: storage.ErrFuture, Status: http.StatusForbidden, Outcome: Answered,
		Public: "403 Forbidden: that time is not over yet",
		Hint:   "ask for a time that is over, in UTC; if it is, the clock of the gateway's host is wrong",
	},
	{
		Err:    ErrTime,
		Public: "404 Not Found: a repository as it was is APP/UUID@TIME, with a time such as 2026-11-29T20:00:00Z",
		Hint:   "write the time as in RFC 3339, in UTC, with whole seconds: APP/UUID@2026-11-29T20:00:00Z",
	},
	{
		Err: ErrCode, Auth: "pairing_code",
		Public: "403 Forbidden: no such pairing code: it is wrong, was used, or has expired",
		Hint:   "make a new code with gatewayctl module add --pair; if nobody there knows who used it, the new code also ends what the old one gave",
	},
	{
		Err: ErrForbidden, Status: http.StatusForbidden, Upload: "exists",
		Hint: "the repository is there already, with another key: use its password, or another repository; nobody deletes a whole one over this protocol",
	},
	{
		Err: ErrNotFound, Status: http.StatusNotFound,
		Hint: "check the path in the client's URL: /DESTINATION/APP/UUID, with an ID that gatewayctl destination list shows",
	},
	{
		Err:  ErrEntry,
		Hint: "correct the destination with gatewayctl destination alter, or add again what it names; on NethServer 8 use the cluster's page of backups",
	},
	{
		Err:  ErrThere,
		Hint: "nothing needs to be done: clients make a directory without asking whether it is there",
	},
	{
		Err: ErrMethod, Status: http.StatusMethodNotAllowed,
		Hint: "neither restic nor a client of WebDAV sends this method here: check what program calls",
	},
	{
		Err: ErrConflict, Status: http.StatusConflict, Upload: "invalid",
		Hint: "make the directory first that is to hold the file, with MKCOL, or repeat what somebody else disturbed",
	},
	{
		Err: ErrPrecondition, Status: http.StatusPreconditionFailed, Upload: "exists",
		Hint: "somebody else changed the file, or it is there already: have the client read it again",
	},
	{
		Err:  ErrOutcomeSize,
		Hint: "no gatewayctl posts so much about its runs: check what program calls, or who has the module's password",
	},
	{
		Err: ErrTooLarge, Status: http.StatusRequestEntityTooLarge,
		Hint: "no client of WebDAV sends so much XML: check what program calls",
	},
	{
		Err: ErrMediaType, Status: http.StatusUnsupportedMediaType,
		Hint: "no client of WebDAV sends a body with this method: check what program calls",
	},
	{
		Err: ErrElsewhere, Status: http.StatusBadGateway, Outcome: Undecided,
		Hint: "MOVE and COPY stay in one destination: download the file and upload it there; a proxy between must pass the header Host on",
	},
	{
		Err: ErrStalled, Status: http.StatusRequestTimeout, Upload: "stalled",
		Hint: "the client or the network stalled: check them, or raise --stall-timeout",
	},
	{
		Err: ErrLength, Status: http.StatusLengthRequired, Upload: "no_length",
		Hint: "restic always sends Content-Length: look for a proxy between that takes it away",
	},
	{
		Err: storage.ErrCorrupt, Status: http.StatusBadRequest, Upload: "corrupt", Outcome: Undecided,
		Hint: "the upload was damaged on its way or before it, and nothing was kept: check the client's memory and disk, and the network",
	},
	{
		Err: storage.ErrShort, Status: http.StatusBadRequest, Upload: "cut_off", Outcome: Undecided,
		Hint: "the client or something on the way broke the upload off; nothing was kept, and restic sends it again: check the network if it repeats",
	},
	{
		Err: storage.ErrUnknownType, Hint: adviceType, Advice: adviceType,
	},
	{
		Err: ErrForm, Upload: "malformed",
		Public: "400 Bad Request: this is not what restic saves here",
		Hint:   "restic would fail on this file in every command, so nothing was kept: if it was not a test, somebody has the user's password; change it",
	},
	{
		Err:    ErrOutcomeRate,
		Public: "429 Too Many Requests: outcomes of runs are posted more often than runs end",
		Hint:   "look for what posts so often, or who has the module's password: gatewayctl posts once after each backup",
	},
	{
		Err: ErrRate, Status: http.StatusTooManyRequests, Upload: "rate", Outcome: Undecided,
		Public: "429 Too Many Requests: more is saved than the limits of the destination allow",
		Hint:   "look for what saves so much, or who has the module's password; locks that are left go with restic unlock; the limits are raised with gatewayctl destination alter",
	},
	{
		Err: fs.ErrInvalid, Status: http.StatusBadRequest, Upload: "invalid", Outcome: Undecided,
		Hint: "the client sent what the protocol does not know: check which program calls, and its version",
	},
	{
		Err: storage.ErrRange, Status: http.StatusRequestedRangeNotSatisfiable, Outcome: Answered,
		Hint: "the client asks for more than there is: run restic check on the repository",
	},
	{
		Err: syscall.ENAMETOOLONG, Status: http.StatusBadRequest, Outcome: Answered,
		Hint: "the storage takes no name that long: have the client use a shorter one",
	},
	{
		Err: ErrQuota, Upload: "quota",
		Hint: "forget and prune old snapshots, or raise the quota with gatewayctl destination alter",
	},
	{
		Err: syscall.ENOSPC, Status: http.StatusInsufficientStorage, Upload: "full", Outcome: Answered, Class: Full,
		Hint:   "the storage is full: forget and prune old snapshots, or give it more space",
		Advice: "the storage is full: free some space there", Reached: true,
	},
	{
		Err: syscall.EDQUOT, Status: http.StatusInsufficientStorage, Upload: "full", Outcome: Answered, Class: Full,
		Hint:   "the storage's own quota is exhausted: forget and prune old snapshots, or raise it there",
		Advice: "the storage's quota is reached: free some space there", Reached: true,
	},
	{
		Err: syscall.EROFS, Status: http.StatusInsufficientStorage, Upload: "read_only", Outcome: Answered, Class: Denied,
		Hint:   "the file system is mounted read-only, as Linux does after errors of the disk: look into the system's log, repair and mount it again; restores still work",
		Advice: "the storage is mounted read-only: check the mount and the disk", Reached: true,
	},
	{
		Err: storage.ErrReadOnly, Status: http.StatusInsufficientStorage, Upload: "read_only", Outcome: Answered,
		Hint: "the storage lets the gateway's key or user read and not write or delete: give it that permission; gatewayctl destination check names it. Restores still work",
	},
	{
		Err: storage.ErrDenied, Class: Denied,
		Advice: adviceDenied, Reached: true, Permission: true,
	},
	{
		Err: ErrDefect, Status: http.StatusInternalServerError,
		Hint: "this is a defect of the gateway: please report it with the stack of the line before",
	},
	{
		Err:    ErrNotReady,
		Public: "not ready: Redis has not been read",
	},
	{
		Err: ErrUnready, Status: http.StatusServiceUnavailable,
		Hint: HintRedis,
	},
	{
		Err:  ErrCircuitOpen,
		Hint: "the line that says it fails every request names the cause; gatewayctl destination check tests it",
	},
	{
		Err: storage.ErrCrowded, Class: Throttled,
		Hint:   adviceCrowded,
		Advice: adviceCrowded,
	},
	{
		Err: storage.ErrThrottled, Class: Throttled,
		Hint:   adviceThrottled,
		Advice: adviceThrottled,
	},
	{
		Err: ErrLoop, Status: http.StatusLoopDetected,
		Hint: "the nodes disagree about which of them has the destination: check that each reads the same Redis (check-config), and the address in the destination's URL",
	},
	{
		Err:  ErrPeer,
		Hint: "check that the other node is up, that its gateway runs and reaches the destination, and the cluster's VPN between",
	},
	{
		Err:  ErrPeerRefuses,
		Hint: "the other node's copy of Redis is behind this one's, or cannot be read: look into the log of its gateway and of its Redis",
	},
	{
		Err: ErrPeerAnswer, Status: http.StatusBadGateway,
		Hint: "the log of the other node's gateway says what failed there; a program between may alter its answers",
	},
	{
		Err:    storage.ErrNotMounted,
		Advice: "the disk that the destination was seen on is not mounted: mount it; to start again in an empty directory, write its marker as the detail says",
	},
	{
		Err:    storage.ErrForeign,
		Advice: "the directory is marked as another destination's: choose another one, or delete the marker that the detail names",
	},
	{
		Err:    storage.ErrNoBucket,
		Advice: adviceNoBucket,
	},
	{
		Err:    storage.ErrObscured,
		Advice: `the storage does not accept the credentials, and the password in the section does not look obscured: was it pasted in clear? Put in what "rclone obscure" makes of it`,
	},
	{
		Err:    storage.ErrHost,
		Advice: "the section's host must be a name or an address alone: write host = HOST, user = USER and port = PORT on lines of their own, and the folder as the base path",
	},
	{
		Err:    ErrDiffers,
		Advice: "the storage returned other bytes than were written: do not use it before that is understood", Reached: true,
	},
	{
		Err:    ErrMissing,
		Advice: "the storage does not say plainly that a folder is missing, which is asked for each new repository: on FTP set disable_mlsd = true in the section", Reached: true,
	},
	{
		Err:    ErrStays,
		Advice: "the storage keeps deleted files: check retention, object lock and versioning", Reached: true,
	},
	{Err: context.DeadlineExceeded, Class: Timeout, Advice: adviceSlow},
	{Err: context.Canceled, Class: Timeout},
	{Err: os.ErrDeadlineExceeded, Class: Timeout},
	{
		Err: fs.ErrPermission, Class: Denied,
		Advice: adviceFiles, Reached: true, Permission: true,
	},
	{
		Err: fs.ErrExist, Status: http.StatusConflict, Outcome: Answered,
		Hint: "the name is taken, or the directory is not empty: an upload may be under way in it",
	},
	{
		Err: errors.ErrUnsupported, Status: http.StatusNotImplemented, Outcome: Answered,
		Hint: "the storage has no way to do this: use another kind of storage, or do it there",
	},
	{Err: storage.ErrUnavailable, Status: http.StatusServiceUnavailable, Outcome: Failed, Class: Unavailable},
	{
		Err: fs.ErrNotExist, Status: http.StatusNotFound, Outcome: Answered,
		Hint:   "the storage has no such object: none is needed for a new repository; else run restic check on it",
		Advice: "the directory does not exist: create it, or mount the disk",
	},
}

// StatusClientGone is the status, in the log and the metrics, of a request whose client
// disconnected.
const StatusClientGone = 499

// Kinds returns the table in order, for documentation and tests.
func Kinds() []Kind { return table }

// first returns the field of the first row that matches err and has the field.
func first[T comparable](err error, field func(*Kind) T) T {
	var none T
	for i := range table {
		if value := field(&table[i]); value != none && errors.Is(err, table[i].Err) {
			return value
		}
	}
	return none
}

// Status returns the HTTP status for an error. An unclassified one is the storage's fault:
// 502, never 404.
func Status(err error) int {
	if code := first(err, func(k *Kind) int { return k.Status }); code != 0 {
		return code
	}
	return http.StatusBadGateway
}

// Condition returns the WebDAV precondition that a request violated, if any.
func Condition(err error) string { return first(err, func(k *Kind) string { return k.Condition }) }

// Public returns the text for the client, "" for the status's own text.
func Public(err error) string { return first(err, func(k *Kind) string { return k.Public }) }

// Final reports whether a refusal does not depend on the users, grants and destinations in
// Redis, so that asking again changes nothing.
func Final(err error) bool {
	return !errors.Is(err, ErrUnauthenticated) && !errors.Is(err, ErrScope) &&
		!errors.Is(err, ErrAddress) && !errors.Is(err, ErrNotFound)
}

// AuthReason returns why a caller was refused, "" where it was not.
func AuthReason(err error) string { return first(err, func(k *Kind) string { return k.Auth }) }

// UploadReason returns why an upload was refused, "" if that was not its own fault.
func UploadReason(err error) string { return first(err, func(k *Kind) string { return k.Upload }) }

// Outcome is what an error says about its destination.
type Outcome uint8

// The outcomes.
const (
	_         Outcome = iota
	Answered          // the destination works, whatever it answered
	Failed            // it does not
	Undecided         // the client is at fault, or disconnected
)

// OutcomeOf returns what the end of an operation says about its destination.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Answered
	}
	if outcome := first(err, func(k *Kind) Outcome { return k.Outcome }); outcome != 0 {
		return outcome
	}
	return Failed
}

// Class is the class of a storage failure in the metrics.
type Class uint8

// The classes.
const (
	_           Class = iota
	Throttled         // it asks to slow down; usually absorbed by retries
	Timeout           // no answer in time
	Unavailable       // not reached, not mounted, failing temporarily
	Denied            // it refuses our credentials or lacks a permission
	Full              // no space
	BrokenOff         // a body broke off in the middle
	Other
	NumClasses // the length of a table by class; index 0 is unused
)

var classNames = [NumClasses]string{
	Throttled: "throttled", Timeout: "timeout", Unavailable: "unavailable",
	Denied: "denied", Full: "full", BrokenOff: "broken_off", Other: "other",
}

// String returns the name of the class in the metrics.
func (c Class) String() string { return classNames[c] }

// ClassOf returns the class of a storage's error.
func ClassOf(err error) Class {
	class := first(err, func(k *Kind) Class { return k.Class })
	if class == 0 || class == Unavailable {
		if cure := Advise(err); cure.Known && cure.Reached {
			return Denied
		}
	}
	if class == 0 {
		return Other
	}
	return class
}

// Hint returns the advice for a request that ended with err.
func Hint(err error) string {
	if hint := first(err, func(k *Kind) string { return k.Hint }); hint != "" {
		return hint
	}
	switch cure := Advise(err); {
	case cure.Permission:
		return cure.Text + "; gatewayctl destination check names the permission that is missing"
	case cure.Known:
		return cure.Text
	}
	return "gatewayctl destination check tests the destination and names what is wrong: " + adviceUnknown
}

// A Cure is advice about a destination.
type Cure struct {
	Text string
	// Reached is true if the storage was reached and accepted the login, but refused.
	Reached bool
	// Permission is true if the storage refused one kind of operation: the missing
	// permission depends on the operation.
	Permission bool
	// Known is false if only the error's own text says what is wrong.
	Known bool
}

// KeyRefused reports whether the storage refuses the gateway's credentials, or they lack
// permissions.
func (c Cure) KeyRefused() bool { return c.Permission || c.Text == adviceCredentials }

const adviceUnknown = "the storage failed in a way that this gateway does not know: the detail says how"

// Advise returns advice about a destination that failed with err. Mistakes in the section
// come first, regardless of what the error wraps: a missing key file is not a missing
// storage.
func Advise(err error) Cure {
	text := lower(err)
	if cure, known := read(sectionFaults, text); known {
		return cure
	}
	for i := range table {
		if k := &table[i]; k.Advice != "" && errors.Is(err, k.Err) {
			return Cure{Text: k.Advice, Reached: k.Reached, Permission: k.Permission, Known: true}
		}
	}
	if cure, known := read(vendors, text); known {
		return cure
	}
	return Cure{Text: adviceUnknown}
}
