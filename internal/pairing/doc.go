// Package pairing is what a pairing code is worth: how a host gets the settings of a module
// from a gateway for a code that a person types, and nobody else learns them.
//
// From the code come, each by a derivation of its own, a ticket and a key. The ticket is
// what the gateway is sent, and Redis keeps the settings under its hash, sealed with the key:
// neither the gateway nor who reads Redis or the network can open them, or put others in
// their place. The code has 95 random bits, so that no slow derivation is needed.
package pairing
