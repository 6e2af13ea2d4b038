package guard

import "sync/atomic"

// traffic counts requests and bytes. The zero value is ready.
type traffic struct{ requests, failed, received, sent atomic.Uint64 }

// Traffic counts requests and bytes since the gateway started.
type Traffic struct{ Requests, Failed, Received, Sent uint64 }

// Served records the end of a request for the destination.
func (g *Guard) Served(failed bool, received, sent int64) {
	g.traffic.requests.Add(1)
	if failed {
		g.traffic.failed.Add(1)
	}
	g.traffic.received.Add(uint64(max(0, received)))
	g.traffic.sent.Add(uint64(max(0, sent)))
}

// Traffic returns the counts.
func (g *Guard) Traffic() Traffic {
	return Traffic{g.traffic.requests.Load(), g.traffic.failed.Load(), g.traffic.received.Load(), g.traffic.sent.Load()}
}
