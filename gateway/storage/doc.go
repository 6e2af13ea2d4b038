// Package storage is the contract between the protocols and the stores: [Store],
// [Creator], and the errors and descriptions that pass between them. The protocols (gateway/rest,
// gateway/dav) ask for it, the stores (gateway/local, gateway/remote) fulfil it,
// and what guards a store (quotas, limits, retries) is one itself.
//
// It holds no store and imports nothing but the standard library.
package storage
