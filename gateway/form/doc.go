// Package form checks whether an upload has the form of a restic file: the possible sizes
// of encrypted files, and the fields of a key. Files that restic cannot even begin to
// decrypt break every command on their repository, and so does a key whose parameters no
// machine can compute.
//
// It does not decrypt: without the repository's key, random bytes of a legal size cannot be
// distinguished from an index.
package form
