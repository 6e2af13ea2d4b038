package integration

import (
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// lone is a node that is alone in its network, but for another host at the other end of
// the VPN.
type lone struct {
	*netns

	redis   *redistest.Server
	gateway *process
	other   *netns
	vpn     *vpn
}

// newLone starts the gateway of node 1, for which Redis has no address yet. The other
// host has those given.
func newLone(t *testing.T, network string, others []string, args ...string) *lone {
	t.Helper()
	n := &lone{netns: newNetns(t), other: newNetns(t), vpn: newVPN(t)}
	n.redis = redistest.StartAt(t, redistest.Place{Enter: n.enter(), Port: "6379"})
	n.redis.SetupNS8()
	n.redis.Do("SET", catalog.ClusterNetwork, network)
	n.redis.Do("HDEL", catalog.NodeVPNKey("1"), catalog.FieldIPAddress)
	n.redis.AddModules(mail)
	n.redis.AddLocalDestination(localDest, t.TempDir())
	n.vpn.join(t, n.other, others[0], others[1:]...)
	cmd := n.moved(t, exec.Command(program(t, "RCLONE_GATEWAY"), append([]string{"serve", "--refresh-interval", "1s"}, args...)...))
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "REDIS_") || strings.HasPrefix(v, "GATEWAY_") || strings.HasPrefix(v, "NOTIFY_") || strings.HasPrefix(v, "LISTEN_")
	}), "REDIS_USER=node/1", "REDIS_PASSWORD="+redistest.Password("node/1"), "NODE_ID=1", "GATEWAY_LOG_LEVEL=debug")
	n.gateway = startProcess(t, cmd)
	n.gateway.out.want(t, "loaded from Redis")
	return n
}

// from is the module as a caller in a network, to an address of the gateway.
func (n *lone) from(where *netns, address string) caller {
	c := callerOf("http://"+address, "module/mail1")
	c.client = where.client()
	return c
}

// answers reports whether anybody listens there.
func (n *lone) answers(t *testing.T, where *netns, address string) bool {
	t.Helper()
	_, err := n.from(where, address).do(t.Context(), http.MethodHead, "/"+localDest+"/"+mailRepo+"/config", nil)
	return err == nil
}

// TestTheNodesAddressComesChangesAndGoes while the gateway runs, in Redis and on the
// interface of the VPN, of both families.
func TestTheNodesAddressComesChangesAndGoes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, network, other, first, second, bits string
	}{
		{"IPv4", "10.5.4.0/24", "10.5.4.9/24", "10.5.4.1", "10.5.4.2", "/24"},
		{"IPv6", "fd00:5:4::/64", "fd00:5:4::9/64", "fd00:5:4::1", "fd00:5:4::2", "/64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := newLone(t, tt.network, []string{tt.other})
			address := func(ip string) string {
				if strings.Contains(ip, ":") {
					ip = "[" + ip + "]"
				}
				return ip + ":4694"
			}
			key := catalog.NodeVPNKey("1")
			path := "/" + localDest + "/" + mailRepo + "/config"
			n.from(n.netns, "127.0.0.1:4694").want(t, http.StatusNotFound, http.MethodHead, path, nil)

			// Redis has the address before the interface is there.
			n.redis.Do("HSET", key, catalog.FieldIPAddress, tt.first)
			n.gateway.out.want(t, "cannot listen on the node's address", tt.first)
			n.vpn.join(t, n.netns, tt.first+tt.bits)
			n.gateway.out.want(t, "listening for the cluster", tt.first)
			n.from(n.other, address(tt.first)).want(t, http.StatusNotFound, http.MethodHead, path, nil)

			// The node gets another one.
			n.run(t, "ip", "address", "add", tt.second+tt.bits, "dev", "wg0", "nodad")
			n.vpn.route(t, tt.second, tt.first)
			n.redis.Do("HSET", key, catalog.FieldIPAddress, tt.second)
			n.gateway.out.want(t, "listening for the cluster", tt.second)
			n.from(n.other, address(tt.second)).want(t, http.StatusNotFound, http.MethodHead, path, nil)
			if n.answers(t, n.netns, address(tt.first)) {
				t.Error("the old address is still served")
			}

			// The interface loses it, and gets it back.
			n.run(t, "ip", "address", "del", tt.second+tt.bits, "dev", "wg0")
			n.run(t, "ip", "address", "add", tt.second+tt.bits, "dev", "wg0", "nodad")
			n.from(n.other, address(tt.second)).want(t, http.StatusNotFound, http.MethodHead, path, nil)

			// The node leaves the cluster.
			n.redis.Do("HDEL", key, catalog.FieldIPAddress)
			waitFor(t, "the address to be left", func() bool { return !n.answers(t, n.netns, address(tt.second)) })
			n.from(n.netns, "127.0.0.1:4694").want(t, http.StatusNotFound, http.MethodHead, path, nil)
		})
	}
}

// TestWhoIsElsewhereIsRefusedFirst asks from outside this host and the cluster's network:
// the answer is 403, with whatever credentials.
func TestWhoIsElsewhereIsRefusedFirst(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, network, inside, outside, address, loopback, bits string
	}{
		{"IPv4", "10.5.4.0/24", "10.5.4.9", "192.168.77.9", "10.5.4.1", "127.0.0.1", "/24"},
		{"IPv6", "fd00:5:4::/64", "fd00:5:4::9", "fd00:77::9", "fd00:5:4::1", "[::1]", "/64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := newLone(t, tt.network, []string{tt.inside + tt.bits, tt.outside + tt.bits}, "--addr", "[::]:4694")
			n.vpn.join(t, n.netns, tt.address+tt.bits)
			n.run(t, "ip", "route", "add", tt.outside, "dev", "wg0")
			address := tt.address + ":4694"
			if tt.name == "IPv6" {
				address = "[" + tt.address + "]:4694"
			}
			path := "/" + localDest + "/" + mailRepo + "/config"
			probe := "/" + localDest + "/_probe_rest_404"
			local := n.from(n.netns, tt.loopback+":4694")
			inside := n.from(n.other, address)
			outside := inside
			outside.client = n.other.clientFrom(tt.outside)
			inside.client = n.other.clientFrom(tt.inside)
			for _, who := range []caller{local, inside} {
				who.want(t, http.StatusNotFound, http.MethodHead, path, nil)
				who.with("module/mail1", wrongPassword).want(t, http.StatusUnauthorized, http.MethodHead, path, nil)
				who.with("", "").want(t, http.StatusNotFound, http.MethodGet, probe, nil)
			}
			for _, who := range []caller{outside, outside.with("module/mail1", wrongPassword), outside.with("", ""), outside.with("node/1", redistest.Password("node/1"))} {
				for _, target := range []string{path, probe, "/", "/" + localDest + "/"} {
					answer := who.want(t, http.StatusForbidden, http.MethodGet, target, nil)
					if answer.header.Get("Www-Authenticate") != "" {
						t.Error("credentials are asked for")
					}
				}
				who.want(t, http.StatusForbidden, http.MethodOptions, "/", nil)
			}
		})
	}
}
