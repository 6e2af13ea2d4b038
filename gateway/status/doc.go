// Package status computes what administrators want to know: whether every module has its
// backups, the state of destinations and gateways, what ran, and who did what.
//
// [New] computes [Facts] from the view that requests are served from, the guards, and what
// a [Reader] has read from Redis. Facts never change. The API's JSON and the pages are both
// rendered from them, so they always agree. The descriptions of problems, and the advice,
// are in this package only.
//
// The package only reads, with two exceptions for its own node: a [Beat] writes the
// gateway's heartbeat to Redis, and [Trends] are stored in the state directory.
package status
