// Package object has the names of a restic repository's objects: as URLs of the REST
// protocol spell them, and as they lie on a storage. It decides from text alone; it reads
// no request and asks no store.
package object
