// Package destination holds NethServer 8's rules for backup destinations: the providers and
// their parameters, the ID that belongs to a request, the rclone section of each provider,
// and the archive of a cluster backup. It does no I/O.
package destination
