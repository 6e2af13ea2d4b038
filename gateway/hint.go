package gateway

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// hints say, for the log, what an administrator can do about a refusal or a
// failure: the first row whose error is in the chain.
var hints = []struct {
	err  error
	hint string
}{
	{errNoCredentials, "the client sent no user and password: give restic RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD, or a URL that holds them"},
	{errUnknownUser, "check the user name that the client sends; if Redis has that user, look for a line here that says it was left out"},
	{errWrongPassword, "give the client the password that Redis has for this user; many such lines from one address may be an attack"},
	{errUnauthenticated, "give the client a user and password that Redis knows"},
	{errForbidden, "a module reaches its own repository and those it was granted to restore from, and deletes nothing but locks: check the URL, and use a node's user to forget and prune"},
	{errAddress, "let the client call from this host, or name its network with --allow-from"},
	{rest.ErrForbidden, "the repository is there already, with another key: use its password, or another repository; nobody deletes a whole one over this protocol"},
	{errNotFound, "check the path in the client's URL: /DESTINATION/APP/UUID, with an ID that gatewayctl destination list shows"},
	{rest.ErrMethod, "restic never sends this method: check what program calls"},
	{errStalled, "the client or the network stood still: check them, or raise --stall-timeout"},
	{storage.ErrShort, "the client or something on the way broke the upload off; nothing was kept, and restic sends it again: check the network if it repeats"},
	{storage.ErrCorrupt, "the upload was damaged on its way or before it, and nothing was kept: check the client's memory and disk, and the network"},
	{rest.ErrLength, "restic always sends Content-Length: look for a proxy between that takes it away"},
	{storage.ErrRange, "the client asks for more than there is: run restic check on the repository"},
	{errWebDAV, "use restic, or rclone's own WebDAV server"},
	{errQuota, "forget and prune old snapshots, or raise the quota with gatewayctl destination alter"},
	{syscall.ENOSPC, "the storage is full: forget and prune old snapshots, or give it more space"},
	{syscall.EDQUOT, "the storage's own quota is exhausted: forget and prune old snapshots, or raise it there"},
	{errDefect, "this is a defect of the gateway: please report it with the stack of the line before"},
	{errUnready, hintRedis},
	{errBroken, "the line that says it fails every request names the cause; gatewayctl destination check tests it"},
	{storage.ErrThrottled, "the provider wants fewer requests: lower its limits with gatewayctl destination alter, or back up at other hours"},
}

// hintRedis is what to do while Redis cannot be read.
const hintRedis = "check that Redis runs at the address of --redis-address and accepts the gateway's user and password; rclone-gateway check-config tells more"

// HintLeftOut is what to do about an entry of Redis that is left out.
const HintLeftOut = "what it describes is not served: correct the entry, or remove it"

// hintStateDir is what to do where the state directory cannot be written.
const hintStateDir = "check that the state directory (--state-dir) is there, is writable and has room"

// hintLeftBehind is what to do about the rests of a check.
const hintLeftBehind = "delete it by hand: no backup is in it"

// hint returns what to do about a request that ended with err.
func hint(code int, err error) string {
	if code == statusClientGone {
		return "the client left before the answer was complete: its own log says why"
	}
	for _, row := range hints {
		if errors.Is(err, row.err) {
			return row.hint
		}
	}
	advice, _, known := advise(err)
	switch {
	case known && !errors.Is(err, fs.ErrNotExist):
		return advice
	case errors.Is(err, fs.ErrInvalid):
		return "the client sent what the protocol does not know: check which program calls, and its version"
	case errors.Is(err, fs.ErrNotExist):
		return "the storage has no such object: none is needed for a new repository; else run restic check on it"
	}
	return "gatewayctl destination check tests the destination and names what is wrong: " + advice
}
