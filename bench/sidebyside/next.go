package main

import (
	"context"
	"fmt"
	"net"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/restclient"
)

const (
	ownerID = "2"
	// ownerIP is where the node with the disk is, in what the nodes take for their VPN.
	ownerIP = "127.0.0.3"
	hopIP   = "127.0.0.2"
)

// hopContestant is the gateway of another node, before that of the node that has the disk.
func hopContestant(gateway string, redis *redisServer) contestant {
	start := func(ctx context.Context, at storage) (*server, error) {
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
	return contestant{name: "hop", start: start}
}

// relayContestant is the least that can be there: the kernel moves the bytes for it, and
// it does not know them.
func relayContestant(gateway, self string, redis *redisServer) contestant {
	start := func(ctx context.Context, at storage) (*server, error) {
		owner, behind, err := startOwner(ctx, gateway, redis, at)
		if err != nil {
			return nil, err
		}
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		return startBefore(ctx, owner, addr, nil, self, "-mode", "relay", "-listen", addr, "-to", behind)
	}
	return contestant{name: "relay", start: start}
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
	s := &server{process: p, behind: behind, client: restclient.New("http://"+addr+"/"+destination+"/"+repository+"/", "module/"+moduleID, password, connections)}
	if err := s.client.Create(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("%w\n%s\n%s", err, p.output, behind.output)
	}
	return s, nil
}
