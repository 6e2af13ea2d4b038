package peer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// Run probes peers and storages that are in use or in doubt, until ctx ends.
func (p *Peers) Run(ctx context.Context) {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			p.transport.CloseIdleConnections()
			return
		case now := <-tick.C:
			p.round(ctx, now)
		}
	}
}

// round starts all probes that are due, concurrently.
func (p *Peers) round(ctx context.Context, now time.Time) {
	v := p.opts.Latest()
	if v == nil {
		return
	}
	p.forget(v)
	others := p.others(v)
	for _, m := range v.Mounts {
		if m.Destination.PeerNode != "" || len(others) == 0 {
			continue
		}
		if p.due(m, now) {
			p.askStorage(ctx, m)
		}
		if m.Guard.Suspect() {
			for _, node := range others {
				go p.link(node.ID, nodeAddress(node), m.Destination.ID).probe(ctx)
			}
		}
	}
	for _, l := range p.inUse(v, now) {
		go l.probe(ctx)
	}
	p.cutStuck(now)
}

// cutStuck aborts requests that stall while their peer is down.
func (p *Peers) cutStuck(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for h := range p.hops {
		if !h.link.state.Up() && now.Sub(time.Unix(0, h.moved.Load())) >= stuckAfter {
			h.cancel(fmt.Errorf("%w: node %s went away in the middle", refusal.ErrPeer, h.link.Node))
		}
	}
}

// forget drops links to nodes that are gone.
func (p *Peers) forget(v *live.View) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.links {
		m := v.Mounts[key.destination]
		if m == nil || v.Snapshot.Nodes[key.node] == nil || m.Destination.PeerNode != "" && m.Destination.PeerNode != key.node {
			delete(p.links, key)
		}
	}
}

// inUse returns the links that requests use or want to use, including those to a
// destination's previous place.
func (p *Peers) inUse(v *live.View, now time.Time) []*Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	used := make(map[*Link]struct{})
	for h := range p.hops {
		used[h.link] = struct{}{}
	}
	for key, l := range p.links {
		if v.Mounts[key.destination].Destination.PeerNode != "" && l.inUse(now) {
			used[l] = struct{}{}
		}
	}
	return slices.Collect(maps.Keys(used))
}

// due reports whether a storage must be probed: it is in doubt, or it is a directory with
// an unknown proof, without which no peer could serve it.
func (p *Peers) due(m *live.Mount, now time.Time) bool {
	if m.Guard.Suspect() {
		return true
	}
	id := m.Destination.ID
	if m.Destination.Type != live.TypeLocal || m.Proof() != "" || now.Sub(p.looks[id]) < proofInterval {
		return false
	}
	p.looks[id] = now
	return true
}

// askStorage probes a storage, unless a probe of it hangs already.
func (p *Peers) askStorage(ctx context.Context, m *live.Mount) {
	id := m.Destination.ID
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy[id] {
		return
	}
	p.busy[id] = true
	go func() {
		m.Probe(ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.busy, id)
	}()
}
