// Package lease holds leases of repositories, which the gateway grants. Only the holder of
// a repository's lease backs up, forgets, prunes, checks or copies. The holder renews its
// lease; a minute after a holder is killed, the lease expires.
package lease
