// Package examine tests destinations: whether all of them open ([Check]), whether one works
// for backups ([Destination]), whether it passes the conformance suite. It explains
// failures to administrators.
//
// It opens stores of its own and serves no request. It writes only what a test needs, and
// removes that.
package examine
