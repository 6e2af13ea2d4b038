// Package backend opens rclone's backends for destinations: it links them, makes
// rclone fit to live inside another program, gives it the sections, and says what
// each kind of backend promises and what its errors mean. It knows neither objects
// of restic nor how one becomes visible; that is gateway/remote's.
//
// All backends of rclone are linked; the build tag "curated" links about two dozen of
// them, see curated.go.
//
// A section is as trusted as the administrator who wrote it: some backends run
// commands or read files that it names (sftp's ssh, webdav's bearer_token_command,
// local, alias).
package backend
