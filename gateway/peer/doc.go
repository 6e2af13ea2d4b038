// Package peer serves requests through another node of the cluster, for a destination on
// that node's disk, or one that only that node reaches. It knows which peers reach which
// destinations, forwards requests over one hop, and judges the responses.
//
// Peers are probed at the path that NethServer 8's own health checks use, so nodes that
// still run HAProxy and rclone can be peers too. Their responses are not trusted where
// rclone is known to be wrong.
package peer
