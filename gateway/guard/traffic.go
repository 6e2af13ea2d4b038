package guard

import "sync/atomic"

// traffic counts what passed. The zero value is ready.
type traffic struct{ requests, failed, received, sent atomic.Uint64 }

// Traffic is what passed since the gateway started.
type Traffic struct{ Requests, Failed, Received, Sent uint64 }

// Served learns of the end of a request that reached the destination, or was to.
func (g *Guard) Served(failed bool, received, sent int64) {
	g.traffic.requests.Add(1)
	if failed {
		g.traffic.failed.Add(1)
	}
	g.traffic.received.Add(uint64(max(0, received)))
	g.traffic.sent.Add(uint64(max(0, sent)))
}

// Traffic returns what passed.
func (g *Guard) Traffic() Traffic {
	return Traffic{g.traffic.requests.Load(), g.traffic.failed.Load(), g.traffic.received.Load(), g.traffic.sent.Load()}
}
