// Package runbackup implements run-backup, which runs a schedule on a node.
//
// A run consists of tasks. Each concerns one module: its backup, by the module's own
// command in its own environment, and then, as the node, retention and whatever is due of
// prune, check and drill. Every task has an outcome in the history and is noted in the
// journal, a file in the node's state directory. A run that was killed continues from its
// journal; what can no longer continue is recorded as failed.
//
// Redis says what to run. While it is down, a run uses what Redis said last time, and
// outcomes wait in files. Whatever deletes from a repository waits too, since there are no
// leases without Redis.
//
// On NethServer 8 it replaces the command of the same name, with the same exit statuses,
// Redis keys, event, manifests, cluster backup and file for Prometheus.
package runbackup
