// Package lease grants leases on repositories: who holds one is the only one that backs
// up, forgets, prunes, checks or copies, on whichever node. Restic's own locks do the same
// between runs of restic, and cannot say whether who made a lock is alive.
//
// # Who keeps it
//
// NethServer 8's users have no key that both a module and a node may write, so the gateway
// grants leases to either, by its own credentials, and writes them below the keys of its
// node, on the main server. Redis decides between gateways: a grant is a transaction that
// watches the keys of all nodes.
//
// For each repository there are two keys. One holds the token and expires with the lease
// ([TTL]), by the clock of Redis alone. The other, the record, outlives it: who it was, a
// counter that only grows, and the host names and processes that restic's locks of that
// run name. Of records of different nodes the one with the highest counter counts.
//
// # What a dead run leaves behind
//
// A lease that ended without being released is that of a run that was killed or lost its
// gateway. Who gets the next lease gets its lockers: nobody else works under a lease, so
// locks that name them belong to nobody. They are handed on until a holder says that the
// repository is clean. Locks that were made without a lease are stale by restic's own
// rule only.
package lease
