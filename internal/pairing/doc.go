// Package pairing implements pairing codes. A host gets the settings of a module from a
// gateway with a code that a person types, and nobody else can read them.
//
// A ticket and a key are derived independently from the code. The host sends the ticket to
// the gateway, and Redis stores the settings under the ticket's hash, encrypted with the
// key. So neither the gateway nor anybody who reads Redis or the network can read or
// replace them. The code has 95 random bits, so it needs no slow derivation.
package pairing
