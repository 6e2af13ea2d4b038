package s3api

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/rclone/rclone/fs"
)

// maxBulk is how many objects S3 removes in one request.
const maxBulk = 1000

// Bulk removes many objects of S3 in one request, DeleteObjects. rclone deletes them one
// by one. A nil one does not do that. It is safe for concurrent use.
type Bulk struct {
	dest         string
	client       **s3.Client
	bucket, base string
	pays         types.RequestPayer
	bypass       *bool
	off          atomic.Bool // the provider does not do that
}

// NewBulk returns nil where an object may have another name on the storage than here, or
// removing it may be something else than the deletion of its newest version.
func NewBulk(dest string, f fs.Fs, section map[string]string) *Bulk {
	client := clientOf(f)
	if client == nil || section["type"] != "s3" || section["encoding"] != "" ||
		section["version_at"] != "" || section["versions"] == "true" || !isPlain(f.Root()) {
		return nil
	}
	b := &Bulk{dest: dest, client: client}
	b.bucket, b.base, _ = strings.Cut(f.Root(), "/")
	if section["requester_pays"] == "true" {
		b.pays = types.RequestPayerRequester
	}
	if section["bypass_governance_retention"] == "true" {
		b.bypass = aws.Bool(true)
	}
	return b
}

// isPlain reports whether rclone changes nothing of a name for S3, and XML has a way to
// write it.
func isPlain(name string) bool {
	for element := range strings.SplitSeq(name, "/") {
		if element == "." || element == ".." {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' })
}

// Most is how many objects one request removes: 1 where it does not do that.
func (b *Bulk) Most() int {
	if b == nil || b.off.Load() {
		return 1
	}
	return maxBulk
}

// Remove removes objects, [Bulk.Most] at most, by one request, and returns the names of
// those that it did not: all where the storage does not take such a request.
func (b *Bulk) Remove(ctx context.Context, names []string) (left []string, err error) {
	if b.Most() == 1 {
		return names, nil
	}
	keys := make(map[string]string, len(names))
	list := make([]types.ObjectIdentifier, len(names))
	for i, name := range names {
		if !iofs.ValidPath(name) || !isPlain(name) {
			return names, nil
		}
		key := path.Join(b.base, name)
		keys[key], list[i].Key = name, &key
	}
	refused, err := b.send(ctx, list)
	switch {
	case err == nil:
	case ctx.Err() == nil && b.refusedBy(err):
		return names, nil
	default:
		return nil, err
	}
	for _, e := range refused {
		name, ours := keys[aws.ToString(e.Key)]
		if !ours {
			return names, nil // it does not say which
		}
		left = append(left, name)
	}
	return left, nil
}

// send sends the request, and returns what the storage did not remove.
func (b *Bulk) send(ctx context.Context, list []types.ObjectIdentifier) ([]types.Error, error) {
	client := *b.client
	// Providers with an S3 of their own may want an MD5, as S3 once did; the client
	// itself sends another checksum.
	answer, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &b.bucket, RequestPayer: b.pays, BypassGovernanceRetention: b.bypass,
		Delete: &types.Delete{Objects: list, Quiet: aws.Bool(true)},
	}, s3.WithAPIOptions(smithyhttp.AddContentChecksumMiddleware))
	if err != nil {
		return nil, fmt.Errorf("%d objects: %w", len(list), err)
	}
	return answer.Errors, nil
}

// refusedBy reports whether a provider refused such a request. One that does not know it is
// asked for it no longer.
func (b *Bulk) refusedBy(err error) bool {
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok {
		return false
	}
	switch status := response.HTTPStatusCode(); status {
	case http.StatusForbidden, http.StatusNotFound: // what is wrong shows one by one
		return true
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusLengthRequired, http.StatusNotImplemented:
		if !b.off.Swap(true) {
			slog.Info("a storage does not delete many objects in one request: they are deleted one by one", "dest", b.dest, "status", status)
		}
		return true
	}
	return false
}
