package refusal

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Refusals because of the caller.
var (
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrScope says that the user lacks the permission.
	ErrScope   = errors.New("outside the user's scope")
	ErrAddress = errors.New("caller's address is not allowed")
	// ErrAttempts says that there were too many failed logins or pairing codes.
	ErrAttempts = errors.New("too many logins have failed")
)

// Reasons for failed authentication, for the log and the metrics only: the response is
// always the same, so that it does not reveal which users exist.
var (
	ErrNoCredentials = fmt.Errorf("%w: no credentials", ErrUnauthenticated)
	ErrUnknownUser   = fmt.Errorf("%w: unknown user", ErrUnauthenticated)
	ErrWrongPassword = fmt.Errorf("%w: wrong password", ErrUnauthenticated)
)

// Refusals because of the request.
var (
	ErrNotFound = errors.New("no such destination or path")
	// ErrForbidden says that the protocol forbids the request: config exists with other
	// content, a whole repository would be deleted. It differs from fs.ErrPermission, with
	// which a file system refuses the gateway.
	ErrForbidden = errors.New("not allowed")
	// ErrMethod says that this kind of object does not support the method.
	ErrMethod = errors.New("method not allowed here")
	// ErrLength says that an upload has no Content-Length.
	ErrLength  = errors.New("upload without Content-Length")
	ErrStalled = errors.New("the client stalled")
	// ErrForm says that an upload does not have the form of a restic file of its type.
	ErrForm = fmt.Errorf("%w: not what restic saves", fs.ErrInvalid)
	// ErrKey says that a module tries to add a key to an existing repository.
	ErrKey = fmt.Errorf("%w: only nodes add keys to a repository that is there", ErrScope)
	// ErrLease says that a node deletes without the lease that the destination demands.
	ErrLease = fmt.Errorf("%w: the destination demands a lease, and the user holds none", ErrForbidden)
	// ErrRate says that a module exceeds its rate limits.
	ErrRate = errors.New("more is saved than the limits allow")
	// ErrOutcomeRate says that a module posts outcomes more often than runs can end.
	ErrOutcomeRate = fmt.Errorf("%w: outcomes of runs", ErrRate)
	// ErrOutcomeSize says that a module posts more than outcomes can be.
	ErrOutcomeSize = fmt.Errorf("%w: outcomes of runs", ErrTooLarge)
	// ErrEntry says that the destination's entry in Redis is unusable.
	ErrEntry = fmt.Errorf("%w: its entry in Redis", storage.ErrUnavailable)
	// ErrPast says that the request would change a past state of a repository.
	ErrPast = fmt.Errorf("%w: a repository as it was cannot be changed", ErrForbidden)
	// ErrFrozen says that a module tries to change a frozen repository.
	ErrFrozen = fmt.Errorf("%w: the repository is frozen", ErrForbidden)
	// ErrCode says that a pairing code is wrong, used or expired, without revealing which.
	ErrCode = fmt.Errorf("%w: no such pairing code", ErrForbidden)
	// ErrTime says that the text after the @ in a path is not a time.
	ErrTime = fmt.Errorf("%w: no time behind @", ErrNotFound)
)

// Refusals of WebDAV only.
var (
	// ErrThere says that MKCOL names something that exists.
	ErrThere = fmt.Errorf("%w: it is there already", ErrMethod)
	// ErrRepository says that the name belongs to a repository, which only restic may
	// change.
	ErrRepository = fmt.Errorf("%w in a repository", ErrForbidden)
	// ErrInfiniteDepth says that PROPFIND of a whole tree is not supported.
	ErrInfiniteDepth = errors.New("PROPFIND with Depth: infinity is not served")
	// ErrConflict says that the parent collection does not exist, or that the resource
	// changed meanwhile.
	ErrConflict = errors.New("the state of the parent collection does not allow it")
	// ErrPrecondition says that a condition of the request does not hold.
	ErrPrecondition = errors.New("a condition of the request does not hold")
	// ErrTooLarge says that an XML body is larger than that of any client.
	ErrTooLarge = errors.New("request body is too large")
	// ErrMediaType says that the request has a body, which has no meaning here.
	ErrMediaType = errors.New("request body is not understood")
	// ErrElsewhere says that MOVE or COPY would leave the destination.
	ErrElsewhere = errors.New("the Destination header names another server or destination")
)

// Failures of the gateway and its dependencies.
var (
	// ErrDefect stands for a panic; it is answered with 500, which restic retries.
	ErrDefect  = errors.New("internal error")
	ErrUnready = errors.New("the state of Redis is not known")
	// ErrNotReady is the answer to a readiness probe of a gateway that is not ready.
	ErrNotReady = fmt.Errorf("not ready: %w", ErrUnready)
	// ErrQuota says that a quota of the gateway, not the storage, is exhausted.
	ErrQuota = fmt.Errorf("%w: quota exhausted", syscall.ENOSPC)
	// ErrCircuitOpen says that a destination is not asked, because it failed too often.
	ErrCircuitOpen = fmt.Errorf("%w: it has failed repeatedly, its circuit is open", storage.ErrUnavailable)
)

// Failures of other nodes of a cluster.
var (
	// ErrLoop says that a forwarded request is not for this node either.
	ErrLoop = errors.New("a peer passed on what this node does not have")
	// ErrPeer says that the node with the destination cannot be reached.
	ErrPeer = fmt.Errorf("%w: its node is not reached", storage.ErrUnavailable)
	// ErrPeerRefuses says that a peer refuses what this node admits.
	ErrPeerRefuses = fmt.Errorf("%w: its node refuses what this one admits", storage.ErrUnavailable)
	// ErrPeerAnswer says that a peer failed, or sent a response that no gateway sends.
	ErrPeerAnswer = errors.New("the answer of a peer is no use")
)

// Findings of a check of a destination. No request ends with them.
var (
	// ErrDiffers says that a file was read back with other content.
	ErrDiffers = errors.New("what was read back is not what was written")
	// ErrMissing says that a storage does not clearly report a missing folder.
	ErrMissing = errors.New("a folder that is missing is not plainly missing")
	// ErrStays says that a file can still be read after its deletion.
	ErrStays = errors.New("the file is still there after it was deleted")
)
