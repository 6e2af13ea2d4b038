package backend

import (
	"cmp"

	"github.com/rclone/rclone/fs"
)

// A Trait is what some backends promise, by their names.
type Trait map[string]bool

// PublishesPut are the backends whose PUT shows an object under its name only
// when it is complete, and leaves what was there before if it fails.
var PublishesPut = Trait{
	// One request, or a multipart upload that a last request completes.
	"s3":                   true,
	"b2":                   true,
	"azureblob":            true,
	"google cloud storage": true,
	"swift":                true,
	"oracleobjectstorage":  true,
	"qingstor":             true,
	"storj":                true,
	// Uploads are committed as a new revision of the file.
	"drive":    true,
	"onedrive": true,
	"dropbox":  true,
	"box":      true,
	// The file appears with the request that ends the upload.
	"mega": true,
	// Read into memory as a whole first.
	"memory": true,
}

// MovesWhole are the backends whose move never takes an object away before the new
// one is in its place: it replaces at once, or refuses a name that is taken. Apache,
// for one, first deletes what a MOVE of WebDAV replaces, as rclone does on servers of
// SFTP that lack an extension of OpenSSH.
var MovesWhole = Trait{
	"local": true,
	"smb":   true,
	"ftp":   true,
}

// transparent are wrapping backends that make one PUT of one PUT.
var transparent = map[string]bool{
	"crypt":  true,
	"hasher": true,
}

// DeletesOneVersion are the backends that keep what an upload replaced, and of which
// a delete brings that back.
var DeletesOneVersion = Trait{"b2": true}

// DeletesForGood are the backends that keep nothing of what is deleted, unless what can
// be asked for says otherwise: the versions of S3, a key of B2 that hides. Azure's and
// Google's buckets may keep what is deleted for a while, and do not tell.
var DeletesForGood = Trait{"s3": true, "b2": true, "memory": true}

// Has reports whether the backend has the trait: for one that makes one PUT of one
// PUT, whether what is below it has. An alias opens as what it stands for.
func (b *Backend) Has(trait Trait) bool {
	for f := b.Fs; ; {
		name, unwrap := b.NameOf(f), f.Features().UnWrap
		if !transparent[name] || unwrap == nil {
			return trait[name]
		}
		f = unwrap()
	}
}

// HasBuckets reports whether the backend stores in buckets. To rclone the shares of
// SMB are some, too, but in them are true directories.
func (b *Backend) HasBuckets() bool {
	f := b.Fs
	for f.Features().UnWrap != nil {
		f = f.Features().UnWrap()
	}
	return b.Fs.Features().BucketBased && b.NameOf(f) != "smb"
}

// NameOf returns the name of the backend of f, which is this one's Fs or lies below it:
// rclone knows those that it opened itself, and all others are the one that we opened.
func (b *Backend) NameOf(f fs.Fs) string { return cmp.Or(fs.FindFromFs(f), b.info).Name }
