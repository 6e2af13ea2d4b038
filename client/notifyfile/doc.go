// Package notifyfile reads notify.conf: the channels of a node's notifications, the time of
// digests, and how the hooks of runs are called.
//
// The file belongs to the administrator: nothing in it comes from Redis, and secrets are in
// files that it names. It has sections in brackets and lines KEY = VALUE. A section with a
// mistake is reported and left out; the other channels work.
package notifyfile
