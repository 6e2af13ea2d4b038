// Package live holds the state that the gateway serves from: a [View] is what
// Redis says, with a [Mount] for each destination, and never changes; [State]
// replaces it while requests continue. With it goes what outlives a view: open
// stores, refreshed tokens, where disks were seen, how full storages are.
//
// It answers no request, and decides nothing about who may do what: it imports
// neither net/http nor the protocols.
package live
