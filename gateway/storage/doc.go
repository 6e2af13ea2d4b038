// Package storage is the contract between protocols and stores: [Store], optional
// interfaces such as [Creator], and their errors and descriptions. The protocols
// (gateway/rest, gateway/dav) use it, the stores (gateway/local, gateway/remote) implement
// it, and the guards of a store (quotas, limits, retries) do both.
//
// It contains no store and imports only the standard library.
package storage
