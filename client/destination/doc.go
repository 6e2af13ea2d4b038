// Package destination knows what NethServer 8 means by a backup destination: which
// providers there are and what they ask for, the ID that a request leads to, the rclone
// section of each, and the archive that holds them in a cluster's backup. It is pure: no
// files, no network.
package destination
