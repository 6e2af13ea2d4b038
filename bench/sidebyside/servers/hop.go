package servers

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

// Hop is the gateway of another node, before that of the node that has the disk.
func Hop(gateway string, redis *Redis) Contestant {
	start := func(ctx context.Context, at Storage) (*Server, error) {
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
	return Contestant{Name: "hop", Start: start}
}

// Relay is the least that can be there: the kernel moves the bytes for it, and
// it does not know them.
func Relay(gateway, self string, redis *Redis) Contestant {
	start := func(ctx context.Context, at Storage) (*Server, error) {
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
	return Contestant{Name: "relay", Start: start}
}

// startOwner starts the gateway of the node that has the disk, and returns its address.
func startOwner(ctx context.Context, gateway string, redis *Redis, at Storage) (*Process, string, error) {
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
	p, err := startProcess(ctx, addr, nodeEnv(redis, ownerID), gateway, "serve", "--addr", addr, "--cluster-store", at.Dir)
	return p, addr, err
}

// nodeEnv lets a gateway be that of a node.
func nodeEnv(r *Redis, id string) []string {
	return []string{"REDIS_ADDRESS=" + r.addr, "REDIS_USER=" + NodeUser, "REDIS_PASSWORD=" + Password, "NODE_ID=" + id}
}

// startBefore starts what stands before another server, and ends both together.
func startBefore(ctx context.Context, behind *Process, addr string, env []string, name string, args ...string) (*Server, error) {
	p, err := startProcess(ctx, addr, env, name, args...)
	if err != nil {
		behind.Stop()
		return nil, err
	}
	s := &Server{Process: p, Behind: behind, Client: restclient.New("http://"+addr+"/"+Destination+"/"+Repository+"/", "module/"+ModuleID, Password, Connections)}
	if err := s.Client.Create(ctx); err != nil {
		s.Stop()
		return nil, fmt.Errorf("%w\n%s\n%s", err, p.Output, behind.Output)
	}
	return s, nil
}
