// Package account knows the Redis users of nodes and modules: how they are called,
// what they may do, and which lines of ACL LIST are theirs. It is pure.
package account
