package integration

import (
	"context"
	"encoding/binary"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// vpn stands for the WireGuard of a cluster: an interface wg0 in each network, and packets
// that are passed between them, late or not at all, as a test says. The kernel's own
// netem would be another module to have.
type vpn struct {
	ctx context.Context

	mu    sync.Mutex
	ports map[netip.Addr]*os.File
	ways  map[[2]netip.Addr]*way
}

// way is one direction between two addresses.
type way struct {
	delay   atomic.Int64 // in nanoseconds
	lossy   atomic.Bool  // nothing gets through
	closed  atomic.Int64 // the TCP port to and from which nothing gets through; 0: none
	passed  atomic.Int64 // bytes
	limit   *rate.Limiter
	packets chan packet
}

type packet struct {
	data []byte
	at   time.Time
}

const (
	// vpnQueue is how many packets wait on a way; more are lost, as with any router.
	vpnQueue = 256
)

func newVPN(t *testing.T) *vpn {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return &vpn{ctx: ctx, ports: make(map[netip.Addr]*os.File), ways: make(map[[2]netip.Addr]*way)}
}

// join gives a network an interface with that address, such as 10.5.4.1/24, and whatever
// else is routed to it.
func (v *vpn) join(t *testing.T, n *netns, address string, others ...string) {
	t.Helper()
	port := n.tun(t, "wg0")
	v.mu.Lock()
	for _, a := range append([]string{address}, others...) {
		v.ports[netip.MustParsePrefix(a).Addr()] = port
	}
	v.mu.Unlock()
	for _, a := range append([]string{address}, others...) {
		n.run(t, "ip", "address", "add", a, "dev", "wg0", "nodad")
	}
	n.run(t, "ip", "link", "set", "wg0", "mtu", "1420", "up")
	go v.receive(port)
}

// route leads what goes to an address to the interface that has the other one.
func (v *vpn) route(t *testing.T, address, other string) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ports[netip.MustParseAddr(address)] = v.ports[netip.MustParseAddr(other)]
}

// way is that from one address to another.
func (v *vpn) way(from, to netip.Addr) *way {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := [2]netip.Addr{from, to}
	w := v.ways[key]
	if w == nil {
		w = &way{limit: rate.NewLimiter(rate.Inf, 64<<10), packets: make(chan packet, vpnQueue)}
		v.ways[key] = w
		go v.send(w, v.ports[to])
	}
	return w
}

// between calls f for both directions between two addresses.
func (v *vpn) between(a, b string, f func(*way)) {
	one, other := netip.MustParseAddr(a), netip.MustParseAddr(b)
	f(v.way(one, other))
	f(v.way(other, one))
}

// cut loses all that goes between two addresses from now on, without a word; heal ends that.
func (v *vpn) cut(a, b string)  { v.between(a, b, func(w *way) { w.lossy.Store(true) }) }
func (v *vpn) heal(a, b string) { v.between(a, b, func(w *way) { w.lossy.Store(false) }) }

// cutPort does the same to one port alone; 0 ends that.
func (v *vpn) cutPort(a, b string, port int64) {
	v.between(a, b, func(w *way) { w.closed.Store(port) })
}

// slow makes what goes between two addresses late, and bounds it.
func (v *vpn) slow(a, b string, p pace) {
	v.between(a, b, func(w *way) {
		w.delay.Store(int64(p.perRequest))
		limit := rate.Inf
		if p.bytesPerSecond > 0 {
			limit = rate.Limit(p.bytesPerSecond)
		}
		w.limit.SetLimit(limit)
	})
}

// passed is how many bytes got from one address to another.
func (v *vpn) passed(from, to string) int64 {
	return v.way(netip.MustParseAddr(from), netip.MustParseAddr(to)).passed.Load()
}

// receive takes what an interface sends.
func (v *vpn) receive(port *os.File) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := port.Read(buffer)
		if err != nil {
			return // the test is over
		}
		from, to, ports := addresses(buffer[:n])
		v.mu.Lock()
		known := v.ports[to] != nil
		v.mu.Unlock()
		if !known {
			continue
		}
		w := v.way(from, to)
		if closed := uint16(w.closed.Load()); w.lossy.Load() || closed != 0 && (ports[0] == closed || ports[1] == closed) {
			continue
		}
		select {
		case w.packets <- packet{append([]byte(nil), buffer[:n]...), time.Now()}:
		default:
		}
	}
}

// send passes on what is on a way.
func (v *vpn) send(w *way, port *os.File) {
	for {
		select {
		case <-v.ctx.Done():
			return
		case p := <-w.packets:
			if wait := time.Until(p.at.Add(time.Duration(w.delay.Load()))); wait > 0 {
				time.Sleep(wait)
			}
			if w.limit.WaitN(v.ctx, len(p.data)) != nil {
				return
			}
			w.passed.Add(int64(len(p.data)))
			_, _ = port.Write(p.data) // an interface that is down takes nothing
		}
	}
}

// addresses are those of an IP packet, with the ports where it is TCP's.
func addresses(p []byte) (from, to netip.Addr, ports [2]uint16) {
	var header, protocol int
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		from, _ = netip.AddrFromSlice(p[12:16])
		to, _ = netip.AddrFromSlice(p[16:20])
		header, protocol = int(p[0]&15)*4, int(p[9])
	case len(p) >= 40 && p[0]>>4 == 6:
		from, _ = netip.AddrFromSlice(p[8:24])
		to, _ = netip.AddrFromSlice(p[24:40])
		header, protocol = 40, int(p[6])
	}
	if protocol == unix.IPPROTO_TCP && len(p) >= header+4 {
		ports = [2]uint16{binary.BigEndian.Uint16(p[header:]), binary.BigEndian.Uint16(p[header+2:])}
	}
	return from, to, ports
}
