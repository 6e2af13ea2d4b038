// Package status puts together what administrators want to know: whether every module has
// its backups, how the destinations are, what ran, who did what, and how the gateways are.
//
// [New] makes [Facts] of the view that requests are served from, of the guards, and of
// what a [Reader] has read of Redis. Facts never change; the JSON of the API is made of
// them, and the pages as well, so that both say the same. The words for what is wrong and
// what to do are written here, once.
//
// It looks, and changes nothing but two things of its own node: a [Beat] writes into Redis
// that the gateway lives, and [Trends] are kept in the state directory.
package status
