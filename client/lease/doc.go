// Package lease holds leases of repositories, which the gateway grants: who holds one is
// the only one that backs up, forgets, prunes, checks or copies. A lease is renewed for as
// long as it is held, and ends by itself a minute after its holder was killed.
package lease
