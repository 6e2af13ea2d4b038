// Package lease grants leases of repositories. Only the holder of a repository's lease
// backs up, forgets, prunes, checks or copies, on any node. Restic's own locks serve the
// same purpose between runs of restic, but cannot tell whether the owner of a lock is
// alive.
//
// # Where leases are stored
//
// NethServer 8's users have no key that both a module and a node may write. So the gateway
// grants leases to both with its own credentials, and writes them below its node's keys on
// the main server. Redis decides between gateways: granting is a transaction that watches
// the keys of all nodes.
//
// Each repository has two keys. One holds the token and expires with the lease ([TTL]), by
// the clock of Redis alone. The other, the record, lives longer: the holder, a growing
// counter, and the host names and processes in the restic locks of that run. Among the
// records of several nodes, the one with the highest counter counts.
//
// # What a dead run leaves behind
//
// A lease that expired without a release belonged to a run that was killed or lost its
// gateway. The next holder gets that run's lockers: since nobody works without a lease,
// locks that name them are stale. Lockers are handed on until a holder reports that the
// repository is clean. Locks of work without a lease are stale by restic's own rule only.
package lease
