// Package examine tests destinations for whoever asks: whether all of them open
// ([Check]), whether one does what backups need ([Destination]), whether it passes
// the conformance suite; and it says in an administrator's words what is wrong.
//
// It opens stores of its own and serves no request; it writes nothing but what a
// proof needs, and removes that.
package examine
