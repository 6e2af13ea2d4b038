package s3api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/rclone/rclone/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Every upload to S3 in one request carries the SHA-256 of its content, as
// x-amz-checksum-sha256: the provider refuses what was damaged on its way, and a
// bucket with Object Lock, which wants a checksum, takes it. For all objects of
// restic but config it is their name, so that nothing is computed; config is small
// and is read before it is sent. Not to every provider that is known: see
// [checksums.refusedBy].

// maxHashed is the size up to which an upload whose name is no hash is kept in
// memory to compute one.
const maxHashed = 1 << 20

// checksums adds them to the uploads of one store.
type checksums struct {
	dest string
	put  PutFunc
	sum  SumFunc
	off  atomic.Bool // the provider does not take them
}

// PutFunc stores size bytes of body under name: all or nothing.
type PutFunc = func(ctx context.Context, name string, size int64, body io.Reader) error

// SumFunc returns the SHA-256 that an object's name says its content has.
type SumFunc = func(name string) (sum [sha256.Size]byte, known bool)

// WithChecksums returns put with checksums, where f is S3 and its section does not
// switch them off. A remote on top of another one, such as crypt, uploads what no
// name tells the hash of.
func WithChecksums(dest string, f fs.Fs, section map[string]string, put PutFunc, sum SumFunc) PutFunc {
	presigned := section["use_presigned_request"] == "true" // carries what the URL holds
	if section["disable_checksum"] == "true" || presigned || !Extend(f) {
		return put
	}
	c := &checksums{dest: dest, put: put, sum: sum}
	return c.upload
}

func (c *checksums) upload(ctx context.Context, name string, size int64, body io.Reader) error {
	if c.off.Load() {
		return c.put(ctx, name, size, body)
	}
	sum, known := c.sum(name)
	if !known {
		if size > maxHashed {
			return c.put(ctx, name, size, body)
		}
		content, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		sum, body = sha256.Sum256(content), bytes.NewReader(content)
	}
	err := c.put(context.WithValue(ctx, checksumKey{}, sum), name, size, body)
	if err != nil && !unclear(ctx, err) && c.refusedBy(err) {
		return fmt.Errorf("%w: it refuses checksums of uploads, which go without from now on: %w", storage.ErrUnavailable, err)
	}
	return err
}

// unclear reports whether what was refused may be the condition of an upload, and not its
// checksum. Then it is sent again without that.
func unclear(ctx context.Context, err error) bool {
	return isNewOnly(ctx) && RefusesCondition(err)
}

// refusedBy reports whether the provider does not know checksums, and then sends
// none any more. Providers with an S3 of their own may refuse the header, or any
// that they do not know.
func (c *checksums) refusedBy(err error) bool {
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok {
		return false
	}
	code, text := "", ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code, text = api.ErrorCode(), strings.ToLower(api.ErrorMessage())
	}
	switch {
	case response.HTTPStatusCode() == http.StatusNotImplemented:
	case response.HTTPStatusCode() != http.StatusBadRequest, isDamage(code):
		return false
	case !strings.Contains(text, "checksum") && !strings.Contains(text, "header"):
		return false
	}
	if !c.off.Swap(true) {
		slog.Warn("a storage does not take checksums of uploads", "dest", c.dest, "err", code,
			"hint", "uploads continue without; disable_checksum = true in the section says so from the beginning. Object Lock needs them")
	}
	return true
}

// isDamage reports whether a code of S3 says that an upload arrived with other
// content than its checksum is of.
func isDamage(code string) bool {
	switch code {
	case "BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch":
		return true
	}
	return false
}

// checksumKey is that of an upload's SHA-256 in the context.
type checksumKey struct{}
