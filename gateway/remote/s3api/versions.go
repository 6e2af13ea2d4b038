package s3api

import (
	"context"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rclone/rclone/fs"
)

// Versions are those that a bucket has of one object.
type Versions struct {
	client      *s3.Client
	bucket, key string
}

// VersionsOf returns the versions of an object, and nil where f is not S3.
func VersionsOf(f fs.Fs, name string) *Versions {
	place := clientOf(f)
	if place == nil {
		return nil
	}
	bucket, base, _ := strings.Cut(f.Root(), "/")
	return &Versions{client: *place, bucket: bucket, key: path.Join(base, name)}
}

// Any returns the ID of one that a list finds, also where the object was deleted.
func (v *Versions) Any(ctx context.Context) (id *string, found bool, err error) {
	list, err := v.client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &v.bucket, Prefix: &v.key})
	if err != nil {
		return nil, false, err
	}
	for _, version := range list.Versions {
		if version.Key != nil && *version.Key == v.key {
			return version.VersionId, true, nil
		}
	}
	return nil, false, nil
}

// Newest returns the ID of the one that there is now; nil where the bucket keeps none.
func (v *Versions) Newest(ctx context.Context) (id *string, err error) {
	head, err := v.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &v.bucket, Key: &v.key})
	if err != nil {
		return nil, err
	}
	return head.VersionId, nil
}

// Delete deletes one.
func (v *Versions) Delete(ctx context.Context, id *string) error {
	_, err := v.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &v.bucket, Key: &v.key, VersionId: id})
	return err
}
