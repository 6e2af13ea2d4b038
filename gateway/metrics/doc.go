// Package metrics is every metric of the gateway: counters of what passed, and a
// [Collector] that reads the state at each scrape. Labels are operations, statuses,
// reasons, types and IDs of destinations; what names a repository or a user is
// never one.
//
// It looks and counts, and decides nothing.
package metrics
