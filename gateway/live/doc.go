// Package live holds the state that the gateway serves from. A [View] is the content of
// Redis, with a [Mount] for each destination; it never changes. [State] replaces it while
// requests continue. The package also holds what outlives a view: open stores, refreshed
// tokens, where disks were seen, how full storages are.
//
// It answers no request and makes no decision about permissions: it imports neither
// net/http nor the protocols.
package live
