package remote

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

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

var _ storage.BulkRemover = (*Store)(nil)

// maxBulk is how many objects S3 removes in one request.
const maxBulk = 1000

// bulk removes many objects of S3 in one request, DeleteObjects. rclone deletes them one
// by one; its client is asked for it, with all of its settings.
type bulk struct {
	dest         string
	client       **s3.Client
	bucket, base string
	pays         types.RequestPayer
	bypass       *bool
	off          atomic.Bool // the provider does not do that
}

// newBulk returns nil where an object may have another name on the storage than here, or
// removing it may be something else than the deletion of its newest version.
func newBulk(dest string, f fs.Fs, section map[string]string) *bulk {
	client := clientOfS3(f)
	if client == nil || section["type"] != "s3" || section["encoding"] != "" ||
		section["version_at"] != "" || section["versions"] == "true" || !isPlain(f.Root()) {
		return nil
	}
	b := &bulk{dest: dest, client: client}
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

// Bulk implements [storage.BulkRemover].
func (s *Store) Bulk() int {
	if s.bulk == nil || s.bulk.off.Load() {
		return 1
	}
	return maxBulk
}

// RemoveAll implements [storage.BulkRemover]. What the storage does not remove in one
// request is removed one by one, which says why.
func (s *Store) RemoveAll(ctx context.Context, names []string) error {
	for len(names) > 0 {
		some := names[:min(len(names), maxBulk)]
		names = names[len(some):]
		left, err := s.removeSome(ctx, some)
		if err != nil {
			return err
		}
		for _, name := range left {
			if err := s.Remove(ctx, name); err != nil && !errors.Is(err, iofs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// removeSome removes as many objects as one request takes, and returns those that it did not.
func (s *Store) removeSome(ctx context.Context, names []string) (left []string, err error) {
	if s.Bulk() == 1 || len(names) == 1 {
		return names, nil
	}
	keys := make(map[string]string, len(names))
	list := make([]types.ObjectIdentifier, len(names))
	ctx, err = s.begin(ctx, "remove", names[0])
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if !iofs.ValidPath(name) || !isPlain(name) {
			return names, nil
		}
		key := path.Join(s.bulk.base, name)
		keys[key], list[i].Key = name, &key
	}
	refused, err := s.bulk.remove(ctx, list)
	switch {
	case err == nil:
	case ctx.Err() == nil && s.bulk.refusedBy(err):
		return names, nil
	default:
		return nil, s.failed(ctx, "remove", path.Dir(names[0]), err)
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

// remove sends the request, and returns what the storage did not remove.
func (b *bulk) remove(ctx context.Context, list []types.ObjectIdentifier) ([]types.Error, error) {
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
func (b *bulk) refusedBy(err error) bool {
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
