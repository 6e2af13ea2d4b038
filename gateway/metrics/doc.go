// Package metrics defines every metric of the gateway: counters of past events, and a
// [Collector] that reads the state at each scrape. Labels are operations, statuses,
// reasons, types and IDs of destinations, never the name of a repository or a user.
//
// It only observes.
package metrics
