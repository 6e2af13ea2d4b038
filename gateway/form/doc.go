// Package form judges whether an upload has the form of what restic saves: the size
// that its sealed files can have, and the fields of a key. Files that restic cannot
// even begin to decrypt stop every command on their repository, and so does a key
// whose parameters no machine can compute.
//
// It does not decrypt: that random bytes of a legal size are no index is not to be
// seen without the repository's key.
package form
