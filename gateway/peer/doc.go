// Package peer serves requests through another node of the cluster: a destination
// that lies on that node's disk, or one that only that node reaches. It knows which
// peers answer for which destinations, passes requests on over one hop, and judges
// what comes back.
//
// A peer is asked at the path that NethServer 8's own health checks use, so that a node
// that still runs HAProxy and rclone is a peer as well. Of such a one nothing is
// believed that rclone is known to get wrong.
package peer
