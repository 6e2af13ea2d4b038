// Package pairing hands the settings of a module, sealed, to the host that has its pairing
// code, once. It opens nothing: the code does, on that host.
package pairing
