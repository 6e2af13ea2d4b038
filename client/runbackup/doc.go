// Package runbackup is run-backup: it runs a schedule on a node.
//
// A run is made of tasks, each of one module: its backup, which is the module's own command
// in its own environment, and then, as the node, its retention, and what is due of prune,
// check and drill. Each has an outcome in the history, whatever happened, and is noted in
// the journal, a file in the node's state directory: a run that was killed goes on where it
// was, and what can no longer go on is recorded as failed.
//
// Redis decides what is run. Where it is away, a run goes by what it said last time, and
// outcomes wait in files until it is back. What deletes from a repository waits for it, since
// without it there are no leases.
//
// With NethServer 8 it stands in for the command of the same name: exit statuses, Redis
// keys, the event, the manifest beside each repository, the backup of the cluster and the
// file for Prometheus are the same.
package runbackup
