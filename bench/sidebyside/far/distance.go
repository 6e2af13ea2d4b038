// Package far puts a server far away, on this machine: what is sent to it arrives later, at
// any rate, and so does what it answers. The least that can stand between restic and such a
// storage is here too.
package far

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// chunk is how much is passed on at once.
	chunk = 64 << 10
	// underWay bounds what is under way in one direction of one connection, in chunks. 20 ms
	// of 3 GB/s are less.
	underWay = 1024
)

// A Distance takes connections and passes each on to a server. Bytes arrive half a round
// trip later than they were sent, in both directions, however many there are; a connection
// takes a round trip to be made, too.
type Distance struct {
	listener net.Listener
	server   string
	trip     time.Duration // there and back
	buffers  sync.Pool

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Start puts the server at an address so far away that a round trip takes that long.
func Start(server string, trip time.Duration) (*Distance, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &Distance{listener: listener, server: server, trip: trip, conns: make(map[net.Conn]bool)}
	d.buffers.New = func() any { return new([chunk]byte) }
	go d.serve()
	return d, nil
}

// Addr is where the server is found at its distance.
func (d *Distance) Addr() string { return d.listener.Addr().String() }

// Stop cuts whoever is still connected: they are being stopped, too.
func (d *Distance) Stop() {
	_ = d.listener.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn := range d.conns {
		_ = conn.Close()
	}
}

func (d *Distance) serve() {
	for {
		near, err := d.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go d.pass(near)
		}
	}
}

// pass passes on what both sides of a connection say, until both have ended.
func (d *Distance) pass(near net.Conn) {
	defer d.forget(near)
	d.remember(near)
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", d.server)
	if err != nil {
		return
	}
	defer d.forget(server)
	d.remember(server)
	made := time.Now().Add(d.trip)
	var both sync.WaitGroup
	both.Go(func() { d.carry(server, near, made) })
	both.Go(func() { d.carry(near, server, made) })
	both.Wait()
}

func (d *Distance) remember(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns[conn] = true
}

func (d *Distance) forget(conn net.Conn) {
	_ = conn.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, conn)
}

// parcel is what is under way.
type parcel struct {
	buffer  *[chunk]byte
	n       int
	arrives time.Time
}

// carry carries what one side says to the other. What it said before the connection was made
// leaves then.
func (d *Distance) carry(to, from net.Conn, made time.Time) {
	way := make(chan parcel, underWay)
	var arrived sync.WaitGroup
	arrived.Go(func() { d.deliver(to, way) })
	for {
		buffer := d.buffers.Get().(*[chunk]byte)
		n, err := from.Read(buffer[:])
		sent := time.Now()
		if sent.Before(made) {
			sent = made
		}
		way <- parcel{buffer, n, sent.Add(d.trip / 2)}
		if err != nil {
			break
		}
	}
	close(way)
	arrived.Wait()
}

// deliver hands over what is under way when it arrives, and the end at the end.
func (d *Distance) deliver(to net.Conn, way <-chan parcel) {
	var err error
	timer := time.NewTimer(0)
	defer timer.Stop()
	for p := range way {
		timer.Reset(max(0, time.Until(p.arrives)))
		<-timer.C
		if err == nil {
			_, err = to.Write(p.buffer[:p.n]) // whoever does not listen any more hears nothing
		}
		d.buffers.Put(p.buffer)
	}
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}
