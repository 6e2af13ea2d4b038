// Package remote keeps a destination on any rclone remote. It is the only
// package that imports rclone.
//
// Backends differ in what a PUT promises; publish.go decides for each how an
// object becomes visible all or nothing. A bucket on S3 takes one request for
// each of GET, HEAD, PUT and DELETE; tuning.go says how.
//
// All backends of rclone are linked; the build tag "curated" links about two
// dozen of them, see backends_curated.go.
//
// A section is as trusted as the administrator who wrote it: some backends run
// commands or read files that it names (sftp's ssh, webdav's
// bearer_token_command, local, alias).
package remote
