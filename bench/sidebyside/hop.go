package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

const (
	ownerID = "2"
	// ownerIP is where the node with the disk is, in what the nodes take for their VPN.
	ownerIP = "127.0.0.3"
	hopIP   = "127.0.0.2"
)

// hopCases are those of the speed mode that move bytes.
func hopCases() []speedCase {
	var cases []speedCase
	for _, c := range speedCases() {
		if c.bytes > 0 {
			cases = append(cases, c)
		}
	}
	return cases
}

// hopContestants both stand before the gateway of the node that has the disk: the
// gateway of another node, and the least that can be there, which the kernel moves the
// bytes for and which does not know them.
func hopContestants(o options, redis *redisServer) ([]contestant, error) {
	gateway, err := program(o.gateway, "make build")
	if err != nil {
		return nil, err
	}
	hop := func(ctx context.Context, at storage) (*server, error) {
		owner, _, err := startOwner(ctx, gateway, redis, at)
		if err != nil {
			return nil, err
		}
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		return startBefore(ctx, owner, addr, nodeEnv(redis, "1"), gateway, "serve", "--addr", addr)
	}
	relay := func(ctx context.Context, at storage) (*server, error) {
		owner, behind, err := startOwner(ctx, gateway, redis, at)
		if err != nil {
			return nil, err
		}
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		return startBefore(ctx, owner, addr, nil, o.self, "-mode", "relay", "-listen", addr, "-to", behind)
	}
	return []contestant{{name: "hop", start: hop}, {name: "relay", start: relay}}, nil
}

// startOwner starts the gateway of the node that has the disk, and returns its address.
func startOwner(ctx context.Context, gateway string, redis *redisServer, at storage) (*process, string, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(addr)
	addr = net.JoinHostPort(ownerIP, port)
	if err := redis.describe(ctx, at); err != nil {
		return nil, "", err
	}
	if err := redis.describeNodes(ctx, addr); err != nil {
		return nil, "", err
	}
	p, err := startProcess(ctx, addr, nodeEnv(redis, ownerID), gateway, "serve", "--addr", addr, "--cluster-store", at.dir)
	return p, addr, err
}

// describeNodes makes the destination one of node 2, at addr.
func (r *redisServer) describeNodes(ctx context.Context, addr string) error {
	return errors.Join(
		r.client.SAdd(ctx, catalog.ACLs, "user node/"+ownerID+" on "+digest()+" ~* +@read").Err(),
		r.client.HSet(ctx, catalog.NodeVPNKey("1"), catalog.FieldIPAddress, hopIP).Err(),
		r.client.HSet(ctx, catalog.NodeVPNKey(ownerID), catalog.FieldIPAddress, ownerIP).Err(),
		r.client.HSet(ctx, catalog.DestinationKey(destination),
			catalog.FieldURL, "webdav:http://"+addr, catalog.FieldProvider, catalog.ProviderCluster).Err(),
	)
}

// nodeEnv lets a gateway be that of a node.
func nodeEnv(r *redisServer, id string) []string {
	return []string{"REDIS_ADDRESS=" + r.addr, "REDIS_USER=" + nodeUser, "REDIS_PASSWORD=" + password, "NODE_ID=" + id}
}

// startBefore starts what stands before another server, and ends both together.
func startBefore(ctx context.Context, behind *process, addr string, env []string, name string, args ...string) (*server, error) {
	p, err := startProcess(ctx, addr, env, name, args...)
	if err != nil {
		behind.stop()
		return nil, err
	}
	s := &server{process: p, behind: behind, client: newClient("http://"+addr+"/"+destination+"/"+repository+"/", "module/"+moduleID, password, connections)}
	if err := s.client.create(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("%w\n%s\n%s", err, p.output, behind.output)
	}
	return s, nil
}

// runHop measures what a node costs that passes on what another one has on its disk.
func runHop(ctx context.Context, o options, base string, redis *redisServer) error {
	all, err := hopContestants(o, redis)
	if err != nil {
		return err
	}
	for _, c := range all {
		if err := os.MkdirAll(rootDir(base, c), 0o700); err != nil {
			return err
		}
	}
	results := newResults(all)
	for round := range o.rounds {
		for i := range all {
			c := all[(round+i)%len(all)]
			if err := hopRound(ctx, o, base, c, results); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	results.print(os.Stdout, hopCases())
	return nil
}

func hopRound(ctx context.Context, o options, base string, c contestant, results *results) error {
	b, err := newBench(ctx, o, base, c)
	if err != nil {
		return err
	}
	defer b.stop()
	for _, sc := range hopCases() {
		m, err := b.measure(ctx, sc, o)
		if err != nil {
			return fmt.Errorf("%s: %w\n%s\n%s", sc.name, err, b.output, b.behind.output)
		}
		results.add(sc.name, c.name, m)
	}
	return nil
}

// runRelay passes each connection on to another address until ctx ends.
func runRelay(ctx context.Context, listen, to string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	for {
		from, err := listener.Accept()
		if err != nil {
			return ctx.Err()
		}
		go relay(ctx, from, to)
	}
}

func relay(ctx context.Context, from net.Conn, address string) {
	defer from.Close()
	var dialer net.Dialer
	to, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	var ways sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		ways.Go(func() {
			_, _ = io.Copy(way[1], way[0]) // the kernel does it, between two sockets
			_ = way[1].(*net.TCPConn).CloseWrite()
		})
	}
	ways.Wait()
}
