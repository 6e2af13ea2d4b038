// Package guard stands between the requests and one destination's store: quotas,
// limits of bandwidth and of operations, and before remotes retries and a circuit
// breaker. It notes how the destination fares. Each layer is a [storage.Store]
// around another one; [Guard.Around] is their order.
//
// It knows neither users nor HTTP nor which backend it guards: of the gateway it
// imports only the contract of stores, the table of refusals and the catalog's
// limits.
package guard
