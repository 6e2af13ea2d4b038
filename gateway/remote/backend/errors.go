package backend

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Describe turns an error of the backend into one of ours. It never wraps the
// backend's, which may wrap fs.ErrNotExist for reasons of its own (a missing key
// file, say) and hold secrets: only its scrubbed text stays, behind the sentinel
// that fits.
func (b *Backend) Describe(what string, err error) error {
	text := b.Scrub(err.Error())
	sentinel := classify(err)
	if sentinel == nil && b.clear && isLogin(err) {
		sentinel = storage.ErrObscured
	}
	if sentinel != nil {
		return fmt.Errorf("%s: %w: %s", what, sentinel, text)
	}
	return fmt.Errorf("%s: %s", what, text)
}

// Scrub returns the text without the secrets of the section.
func (b *Backend) Scrub(text string) string { return b.scrub.Replace(text) }

// IsDenial reports whether the storage may have refused an operation to us, and is
// otherwise in order.
func IsDenial(err error) bool {
	if err == nil {
		return false
	}
	sentinel := classify(err)
	return (sentinel == nil || sentinel == storage.ErrUnavailable) && isDenial(err) //nolint:errorlint // one of ours, bare
}

// denialMarks are what the backends' errors say of an operation that is refused, in
// lower case: codes of the vendors' protocols, and texts of servers and file systems.
var denialMarks = []string{
	"permission denied", "read-only file system", // SFTP, FTP, directories
	"access denied", "write-protected", "write protected", // SMB
	"403 forbidden",                                              // WebDAV and most others
	"(401 unauthorized)", "(401 unknown)", "(403 access_denied)", // B2, of a key that lacks a capability
	"authorizationpermissionmismatch", "blobimmutableduetopolicy", // Azure
	"insufficientpermissions", // Google
}

func isDenial(err error) bool {
	if errors.Is(err, iofs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return true
	}
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		api, known := errors.AsType[smithy.APIError](err)
		return response.HTTPStatusCode() == http.StatusForbidden && known && strings.HasPrefix(api.ErrorCode(), "AccessDenied")
	}
	text := strings.ToLower(err.Error())
	return slices.ContainsFunc(denialMarks, func(mark string) bool { return strings.Contains(text, mark) })
}

// loginMarks are what the backends that take an obscured password say, in lower case,
// of one that is wrong.
var loginMarks = []string{
	"unable to authenticate",              // SFTP
	"530 ",                                // FTP
	"logon is invalid", "status_logon_fa", // SMB
	"401 unauthorized", ": 401", // WebDAV
}

func isLogin(err error) bool {
	text := strings.ToLower(err.Error())
	return slices.ContainsFunc(loginMarks, func(mark string) bool { return strings.Contains(text, mark) })
}

// classify returns the sentinel for an error of a backend, or nil.
func classify(err error) error {
	switch {
	case errors.Is(err, storage.ErrUnavailable):
		return storage.ErrUnavailable // it is ours already
	case errors.Is(err, syscall.EDQUOT):
		return syscall.EDQUOT
	case isFull(err):
		return syscall.ENOSPC
	case IsCrowded(err):
		return storage.ErrCrowded
	case isThrottled(err):
		return storage.ErrThrottled
	case isUnavailable(err):
		return storage.ErrUnavailable
	}
	return nil
}

// fullMarks are what the backends' errors say when their storage is full: codes
// of the vendors' protocols, and texts of servers that know no code. "Quota
// exceeded" alone is none: Google says it of request rates.
var fullMarks = []string{
	"InsufficientStorage", "insufficient storage", "507 Insufficient", // HTTP 507: WebDAV, OneDrive, Nextcloud
	"XMinioStorageFull", "api error QuotaExceeded", // MinIO, Ceph
	"storageQuotaExceeded", "teamDriveFileLimitExceeded", // Google Drive
	"insufficient_space",                   // Dropbox
	"quotaLimitReached",                    // OneDrive
	"storage_limit_exceeded",               // Box
	"storage_cap_exceeded",                 // B2
	"STATUS_DISK_FULL", "not enough space", // SMB
	"no space left on device", "No space left", // SFTP, FTP
	"disk quota exceeded", "Disk quota exceeded", // SFTP, FTP
	"Exceeded storage allocation",                   // FTP
	"Over quota", "over quota", "quota has been re", // Mega, Koofr
}

func isFull(err error) bool {
	if errors.Is(err, syscall.ENOSPC) {
		return true
	}
	text := err.Error()
	for _, mark := range fullMarks {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return false
}

// throttledMarks are what the backends' errors say of a server that wants fewer
// requests, or the same one later: texts of HTTP statuses, and codes of vendors.
var throttledMarks = []string{
	"429 Too Many Requests", "503 Service Unavailable", // WebDAV and most others
	"StatusCode: 429", "StatusCode: 503", "SlowDown", // S3
	"ServerBusy",                                     // Azure
	"too_many_requests", "too_many_write_operations", // B2, Dropbox
	"rateLimitExceeded", "userRateLimitExceeded", // Google
	"activityLimitReached",                                        // OneDrive
	"share access flags are incompatible", "has a delete pending", // SMB: the file is being replaced
}

// IsCrowded reports whether a server of FTP takes no more connections. It says so with
// the code that it also ends idle ones with.
func IsCrowded(err error) bool {
	reply, ok := errors.AsType[*textproto.Error](err)
	if !ok || reply.Code != ftpUnavailable {
		return false
	}
	text := strings.ToLower(reply.Msg)
	return strings.Contains(text, "too many") || strings.Contains(text, "maximum") || strings.Contains(text, "already logged in")
}

// ftpUnavailable is the code of FTP for a server that closes the connection.
const ftpUnavailable = 421

// isThrottled reports whether the server answered and throttled the request.
func isThrottled(err error) bool {
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		code := response.HTTPStatusCode()
		return code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable
	}
	if fserrors.IsRetryAfterError(err) {
		return true
	}
	text := err.Error()
	return slices.ContainsFunc(throttledMarks, func(mark string) bool { return strings.Contains(text, mark) })
}

// isUnavailable reports whether the same request may succeed later: the server cannot
// be reached, throttles, or fails temporarily.
func isUnavailable(err error) bool {
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	return errors.Is(err, syscall.ECONNREFUSED) ||
		errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EHOSTUNREACH) ||
		errors.Is(err, syscall.ENETUNREACH) ||
		errors.Is(err, context.DeadlineExceeded) || // a limit of the backend's own
		fserrors.IsRetryError(err) ||
		fserrors.ShouldRetry(err)
}
