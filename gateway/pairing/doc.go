// Package pairing gives the encrypted settings of a module to the host that has its pairing
// code, once. Only that host can decrypt them, with the code.
package pairing
