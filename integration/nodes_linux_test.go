package integration

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// The destinations of three nodes: on the disk of the leader and of each of the others, in
// a bucket that one node alone reaches, and in a directory.
const (
	onLeader = "11111111-29f7-5446-baf7-00ad39be7501"
	onNode2  = "22222222-29f7-5446-baf7-00ad39be7502"
	onNode3  = "33333333-29f7-5446-baf7-00ad39be7503"
	inBucket = "44444444-29f7-5446-baf7-00ad39be7504"
	onDisk   = "55555555-29f7-5446-baf7-00ad39be7505"
)

// nodes are the nodes of a cluster, each with a network, mounts, a Redis and a gateway of
// its own, and with a VPN between them. Node 1 is the leader, whose Redis the others
// follow.
type nodes struct {
	vpn     *vpn
	network string
	leader  *redistest.Server
	disk    string // where onDisk is mounted on each node

	one, two, three *clusterNode
}

// clusterNode is one of them.
type clusterNode struct {
	*netns

	t       *testing.T // that of all, which its processes end with
	id, ip  string
	leader  string // where the leader's Redis listens
	redis   *redistest.Server
	gateway *process
	store   string
	state   string
}

func newNodes(t *testing.T) *nodes {
	t.Helper()
	return newNodesOf(t, "10.5.4.", "/24")
}

// newNodesOf makes them with addresses that begin so.
func newNodesOf(t *testing.T, prefix, bits string) *nodes {
	t.Helper()
	w := &nodes{vpn: newVPN(t), disk: t.TempDir(), network: netip.MustParsePrefix(prefix + "1" + bits).Masked().String()}
	for i, node := range []**clusterNode{&w.one, &w.two, &w.three} {
		id := string(rune('1' + i))
		*node = &clusterNode{netns: newNetns(t), t: t, id: id, ip: prefix + id, store: t.TempDir(), state: t.TempDir()}
		w.vpn.join(t, (*node).netns, (*node).ip+bits)
	}
	w.startRedis(t)
	for _, node := range w.all() {
		node.leader = net.JoinHostPort(w.one.ip, "6379")
		node.start(t)
	}
	return w
}

func (w *nodes) all() []*clusterNode { return []*clusterNode{w.one, w.two, w.three} }

// startRedis starts the leader's, fills it, and lets the others follow.
func (w *nodes) startRedis(t *testing.T) {
	t.Helper()
	admin := redistest.Password(redistest.AdminUser)
	for _, node := range w.all() {
		place := redistest.Place{Enter: node.enter(), Addresses: []string{node.ip}, Port: "6379"}
		if node == w.one {
			node.redis = redistest.StartAt(t, place, "--protected-mode", "no")
			w.leader = node.redis
			w.fill()
			continue
		}
		node.redis = redistest.StartAt(t, place, "--replicaof", w.one.ip+" 6379",
			"--masteruser", redistest.AdminUser, "--masterauth", admin)
		node.redis.CopyUsers(w.leader)
		waitFor(t, "the replica of node "+node.id+" to have all", func() bool {
			return node.redis.Do("EXISTS", catalog.DestinationKey(onDisk)) == int64(1)
		})
	}
}

func (w *nodes) fill() {
	w.leader.SetupNS8()
	w.leader.Do("SET", catalog.ClusterNetwork, w.network)
	w.leader.AddNode("1", w.one.ip)
	w.leader.AddNode("2", w.two.ip)
	w.leader.AddNode("3", w.three.ip)
	w.leader.AddModules(mail, wiki)
	for id, node := range map[string]*clusterNode{onLeader: w.one, onNode2: w.two, onNode3: w.three} {
		w.leader.AddDestinations(redistest.Destination{
			ID: id, Name: "node " + node.id, Provider: "cluster", URL: "webdav:http://" + net.JoinHostPort(node.ip, "4694"),
		})
	}
	w.leader.AddLocalDestination(onDisk, w.disk)
}

// start runs the node's gateway as its unit does, and waits until it has read Redis.
func (n *clusterNode) start(t *testing.T) {
	t.Helper()
	cmd := n.moved(t, exec.Command(program(t, "RCLONE_GATEWAY"), "serve"))
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "REDIS_") || strings.HasPrefix(v, "GATEWAY_") || strings.HasPrefix(v, "NOTIFY_") || strings.HasPrefix(v, "LISTEN_")
	}),
		"REDIS_ADDRESS="+n.leader, "REDIS_REPLICA_ADDRESS=127.0.0.1:6379",
		"REDIS_USER=node/"+n.id, "REDIS_PASSWORD="+redistest.Password("node/"+n.id), "NODE_ID="+n.id,
		"GATEWAY_CLUSTER_STORE="+n.store, "GATEWAY_STATE_DIR="+n.state, "GATEWAY_LOG_LEVEL=debug")
	n.gateway = startProcess(n.t, cmd)
	n.gateway.out.want(t, "loaded from Redis")
	n.gateway.out.want(t, "listening for the cluster")
}

// kill ends the gateway as a crash does.
func (n *clusterNode) kill(t *testing.T) {
	t.Helper()
	_ = n.gateway.cmd.Process.Kill()
	<-n.gateway.exited
}

// as is a caller on the node.
func (n *clusterNode) as(user string) caller {
	c := callerOf("http://127.0.0.1:4694", user)
	c.client = n.client()
	return c
}

// restic is a client on the node.
func (n *clusterNode) restic(t *testing.T, version, destination, repo, user string) nodeRestic {
	t.Helper()
	return nodeRestic{newRestic(t, version, "http://127.0.0.1:4694/"+destination, repo, user), n}
}

type nodeRestic struct {
	restic
	node *clusterNode
}

func (r nodeRestic) run(t *testing.T, args ...string) string {
	t.Helper()
	return runCommand(t, r.node.moved(t, r.command(t, args...)))
}

// seed is what it is elsewhere, by a request from the node.
func (r nodeRestic) seed(t *testing.T, version int) {
	t.Helper()
	server := caller{base: strings.TrimSuffix(strings.TrimPrefix(r.repository, "rest:"), "/"), client: r.node.client()}
	seedThrough(t, server, version)
}

// backup is one that is under way.
type backup struct {
	nodeRestic
	tree  string
	ended chan error
	out   strings.Builder
}

// begin backs up new content.
func (r nodeRestic) begin(t *testing.T, tree string) *backup {
	t.Helper()
	content, _ := blob(12 << 20)
	writeFile(t, filepath.Join(tree, "large"), content)
	b := &backup{nodeRestic: r, tree: tree, ended: make(chan error, 1)}
	cmd := r.node.moved(t, r.command(t, "backup", tree))
	cmd.Stdout, cmd.Stderr = &b.out, &b.out
	go func() { b.ended <- cmd.Run() }()
	return b
}

// wantGood waits for the end, which must be a good one.
func (b *backup) wantGood(t *testing.T) {
	t.Helper()
	if err := <-b.ended; err != nil {
		t.Fatalf("the backup on node %s: %v\n%s", b.node.id, err, b.out.String())
	}
}

// wantUnderway waits until so much has gone from one node to another.
func (w *nodes) wantUnderway(t *testing.T, from, to *clusterNode, since int64) {
	t.Helper()
	waitFor(t, "a backup to be under way from node "+from.id+" to "+to.id, func() bool {
		return w.vpn.passed(from.ip, to.ip) > since+2<<20
	})
}

// within asks until the answer has that status, and returns how long that took: each
// question at most as long as no request may hang on a dead peer.
func (c caller) within(t *testing.T, limit time.Duration, status int, method, path string) time.Duration {
	t.Helper()
	started := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		answer, err := c.do(ctx, method, path, http.NoBody)
		switch {
		case err != nil:
			t.Fatalf("%s %s within %v: %v", method, path, limit, err)
		case answer.status == status:
			return time.Since(started)
		case !errors.Is(ctx.Err(), nil):
			t.Fatalf("%s %s: %d within %v, want %d", method, path, answer.status, limit, status)
		}
	}
}
