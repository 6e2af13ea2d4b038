package refusal

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Refusals of the caller.
var (
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrScope says that the user may not do this here.
	ErrScope   = errors.New("outside the user's scope")
	ErrAddress = errors.New("caller's address is not allowed")
	// ErrAttempts says that too many logins, or pairing codes, were refused.
	ErrAttempts = errors.New("too many logins have failed")
)

// Why a caller is not authenticated is for the log and the metrics: the answer is
// the same, so that nobody learns which users there are.
var (
	ErrNoCredentials = fmt.Errorf("%w: no credentials", ErrUnauthenticated)
	ErrUnknownUser   = fmt.Errorf("%w: unknown user", ErrUnauthenticated)
	ErrWrongPassword = fmt.Errorf("%w: wrong password", ErrUnauthenticated)
)

// Refusals of the request.
var (
	ErrNotFound = errors.New("no such destination or path")
	// ErrForbidden says that the protocol's rules refuse the request: config is
	// there with other content, a whole repository would be deleted. It is not
	// fs.ErrPermission, which a file system returns when it refuses *us*.
	ErrForbidden = errors.New("not allowed")
	// ErrMethod says that the method does not exist for this kind of object.
	ErrMethod = errors.New("method not allowed here")
	// ErrLength says that an upload announced no length.
	ErrLength  = errors.New("upload without Content-Length")
	ErrStalled = errors.New("the client stalled")
	// ErrForm says that an upload does not have the form of what restic saves there.
	ErrForm = fmt.Errorf("%w: not what restic saves", fs.ErrInvalid)
	// ErrKey says that a module would add a key to a repository that was begun.
	ErrKey = fmt.Errorf("%w: only nodes add keys to a repository that is there", ErrScope)
	// ErrLease says that a node deletes without the lease that the destination demands.
	ErrLease = fmt.Errorf("%w: the destination demands a lease, and the user holds none", ErrForbidden)
	// ErrRate says that a module saves more than its limits allow.
	ErrRate = errors.New("more is saved than the limits allow")
	// ErrOutcomeRate says that a module posts outcomes of runs more often than runs end.
	ErrOutcomeRate = fmt.Errorf("%w: outcomes of runs", ErrRate)
	// ErrOutcomeSize says that a module posts more than outcomes of runs are.
	ErrOutcomeSize = fmt.Errorf("%w: outcomes of runs", ErrTooLarge)
	// ErrEntry says that what Redis has of a destination cannot be used.
	ErrEntry = fmt.Errorf("%w: its entry in Redis", storage.ErrUnavailable)
	// ErrPast says that a repository as it was would be changed.
	ErrPast = fmt.Errorf("%w: a repository as it was cannot be changed", ErrForbidden)
	// ErrFrozen says that a module would change a repository that is frozen.
	ErrFrozen = fmt.Errorf("%w: the repository is frozen", ErrForbidden)
	// ErrCode says that a pairing code is wrong, was used or has expired: which of them, nobody
	// is told.
	ErrCode = fmt.Errorf("%w: no such pairing code", ErrForbidden)
	// ErrTime says that what a path has behind the @ is no time.
	ErrTime = fmt.Errorf("%w: no time behind @", ErrNotFound)
)

// Refusals of WebDAV alone.
var (
	// ErrThere says that MKCOL would make what is there already.
	ErrThere = fmt.Errorf("%w: it is there already", ErrMethod)
	// ErrRepository says that the name belongs to a repository, which restic alone
	// changes.
	ErrRepository = fmt.Errorf("%w in a repository", ErrForbidden)
	// ErrInfiniteDepth says that PROPFIND of a whole tree is not served.
	ErrInfiniteDepth = errors.New("PROPFIND with Depth: infinity is not served")
	// ErrConflict says that the collection is missing that would hold the resource, or
	// that it changed meanwhile.
	ErrConflict = errors.New("the state of the parent collection does not allow it")
	// ErrPrecondition says that a condition of the request does not hold.
	ErrPrecondition = errors.New("a condition of the request does not hold")
	// ErrTooLarge says that a body of XML is larger than any client's.
	ErrTooLarge = errors.New("request body is too large")
	// ErrMediaType says that a body was sent where none has a meaning.
	ErrMediaType = errors.New("request body is not understood")
	// ErrElsewhere says that MOVE or COPY would leave the destination.
	ErrElsewhere = errors.New("the Destination header names another server or destination")
)

// Failures of the gateway, and of what it needs.
var (
	// ErrDefect stands for a panic of ours; it is answered 500, which restic retries.
	ErrDefect  = errors.New("internal error")
	ErrUnready = errors.New("the state of Redis is not known")
	// ErrNotReady is the answer to whoever asks whether the gateway is ready.
	ErrNotReady = fmt.Errorf("not ready: %w", ErrUnready)
	// ErrQuota says that a quota of ours is exhausted, and not the storage.
	ErrQuota = fmt.Errorf("%w: quota exhausted", syscall.ENOSPC)
	// ErrCircuitOpen says that a destination failed so often that it is not even asked.
	ErrCircuitOpen = fmt.Errorf("%w: it has failed repeatedly, its circuit is open", storage.ErrUnavailable)
)

// Failures of the other nodes of a cluster.
var (
	// ErrLoop says that a request was passed on that is not for this node either.
	ErrLoop = errors.New("a peer passed on what this node does not have")
	// ErrPeer says that the node is not reached that has the destination.
	ErrPeer = fmt.Errorf("%w: its node is not reached", storage.ErrUnavailable)
	// ErrPeerRefuses says that a peer refuses what this node admits.
	ErrPeerRefuses = fmt.Errorf("%w: its node refuses what this one admits", storage.ErrUnavailable)
	// ErrPeerAnswer says that a peer failed, or answered what no gateway does.
	ErrPeerAnswer = errors.New("the answer of a peer is no use")
)

// What a check of a destination finds. No request ends with them.
var (
	// ErrDiffers says that a file was read back as something else.
	ErrDiffers = errors.New("what was read back is not what was written")
	// ErrMissing says that a storage does not say plainly that a folder is missing.
	ErrMissing = errors.New("a folder that is missing is not plainly missing")
	// ErrStays says that a file can still be read after it was deleted.
	ErrStays = errors.New("the file is still there after it was deleted")
)
