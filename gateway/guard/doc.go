// Package guard stands between requests and the store of one destination: quotas, limits of
// bandwidth and of operations and, for remotes, retries and a circuit breaker. It also
// records how the destination works. Each layer is a [storage.Store] that wraps another
// one; [Guard.Around] defines their order.
//
// It knows neither users nor HTTP nor the backend that it guards: it imports only the
// contract of stores, the table of refusals and the catalog's limits.
package guard
