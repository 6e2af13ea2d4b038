// Package account holds the rules for the Redis users of nodes and modules: their names,
// their permissions, and how to find them in the output of ACL LIST. It does no I/O.
package account
