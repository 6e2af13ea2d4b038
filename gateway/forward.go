package gateway

import (
	"context"
	"fmt"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/peer"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// The headers by which NethServer 8's tools, and administrators, see which node answered.
const (
	headerBackend = "X-Backend"
	headerHAProxy = "X-Haproxy-Backend" // as net/http spells it
)

// forward passes an admitted request of a node or a module on to a peer. Nothing of its
// body was read before.
func (g *Gateway) forward(w *observe.Response, r *http.Request, req request, node bool, link *peer.Link, err error) error {
	if err != nil {
		return err
	}
	w.Entry.Node = link.Node
	nameBackend(w.Header(), backendOf(link.Node))
	return link.Forward(w, r, &peer.Job{
		Destination: req.destination,
		Restic:      req.restic,
		Repo:        req.repo,
		Type:        req.typ,
		Name:        req.name,
		Past:        req.view.asked,
		Node:        node,
		Recheck: func(ctx context.Context) error {
			v, err := g.state.Refresh(ctx)
			if err == nil {
				_, err = access.Decide(v, r, req.access())
			}
			return err
		},
	})
}

// answerProbe answers 404 while this node itself reaches a destination, as peers and
// NethServer 8's health checks expect, otherwise 503. It does not contact the storage.
func (g *Gateway) answerProbe(w *observe.Response, v *live.View, req request) error {
	if v == nil {
		return refusal.ErrUnready
	}
	mount := v.Mounts[req.destination]
	switch {
	case mount == nil:
		return fmt.Errorf("%w: this node does not know it", storage.ErrUnavailable)
	case mount.Destination.PeerNode != "":
		return fmt.Errorf("%w: it is on the disk of node %s", storage.ErrUnavailable, mount.Destination.PeerNode)
	case !mount.Guard.Reached():
		return fmt.Errorf("%w: this node does not reach it", storage.ErrUnavailable)
	}
	header := w.Header()
	header.Set(peer.HeaderGateway, g.opts.Load.NodeID)
	if proof := mount.Proof(); proof != "" {
		header.Set(peer.HeaderStorage, proof)
	}
	return refusal.ErrNotFound
}

// backendOf returns a node's name in the headers.
func backendOf(node string) []string { return []string{"backend@node" + node} }

// nameBackend sets the headers to the node that answers; outside a cluster there is none.
func nameBackend(header http.Header, backend []string) {
	if backend != nil {
		header[headerBackend], header[headerHAProxy] = backend, backend
	}
}
