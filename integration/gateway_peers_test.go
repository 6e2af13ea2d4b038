package integration

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/past"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// peerDest is on the disk of node 2.
const peerDest = "76d73f29-7446-5baf-a700-3ad39be75475"

// peers are nodes of one cluster. The way to each leads over a link, by the address that
// Redis has for the node.
type peers struct {
	*cluster

	links map[string]*link // by address
	away  atomic.Bool      // the dial of node 1 leads nowhere, without an answer
}

const node2IP = "10.5.4.2"

func newPeers(t *testing.T) *peers {
	t.Helper()
	p := &peers{cluster: newCluster(t), links: map[string]*link{
		redistest.LeaderIP + ":4694": newLink(t), node2IP + ":4694": newLink(t),
	}}
	p.AddNode("2", node2IP)
	p.AddDestinations(redistest.Destination{ID: peerDest, Name: "Node 2", Provider: "cluster", URL: "webdav:http://" + node2IP + ":4694"})
	return p
}

// node starts the gateway of a node, whose cluster destinations lie in store.
func (p *peers) node(t *testing.T, id, ip, store string) *served {
	t.Helper()
	r := p.asNode()
	r.Username, r.Password = "node/"+id, redistest.Password("node/"+id)
	g := startGateway(t, r, func(opts *gateway.Options) {
		opts.Load = catalog.LoadOptions{NodeID: id, ClusterStore: store}
		opts.DialPeer = func(ctx context.Context, network, address string) (net.Conn, error) {
			if p.away.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			l := p.links[address]
			if l == nil {
				return nil, fmt.Errorf("no route to %s", address)
			}
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, l.address)
		}
	})
	p.links[ip+":4694"].connect(strings.TrimPrefix(g.url, "http://"))
	g.waitReady(t)
	return g
}

// TestBackupsThroughAHop continue while the link to the node that has the disk is slowed,
// cut and healed.
func TestBackupsThroughAHop(t *testing.T) {
	t.Parallel()
	p := newPeers(t)
	store := t.TempDir()
	first := p.node(t, "1", redistest.LeaderIP, t.TempDir())
	second := p.node(t, "2", node2IP, store)
	way := p.links[node2IP+":4694"]

	module := newRestic(t, "RESTIC_0_18", first.url+"/"+peerDest, mailRepo, "module/mail1")
	tree := makeTree(t)
	module.seed(t, 2)
	content, _ := blob(24 << 20)
	writeFile(t, filepath.Join(tree, "large"), content)

	way.become(pace{bytesPerSecond: 6 << 20})
	ended := make(chan error, 1)
	backup := module.command(t, "backup", tree)
	var out strings.Builder
	backup.Stdout, backup.Stderr = &out, &out
	go func() { ended <- backup.Run() }()
	before := way.sent.Load()
	waitFor(t, "the backup to be under way", func() bool { return way.sent.Load() > before+1<<20 })
	way.disconnect()
	first.log.want(t, "a peer is not reached")
	way.connect(strings.TrimPrefix(second.url, "http://"))
	way.become(pace{})
	if err := <-ended; err != nil {
		t.Fatalf("the backup: %v\n%s", err, out.String())
	}
	module.run(t, "check", "--read-data")
	module.wantRestored(t, tree)
	if files := filesBelow(t, store); len(files) < 5 {
		t.Errorf("on node 2's disk are only %q", files)
	}

	answer := first.module("mail1").want(t, http.StatusOK, "HEAD", "/"+peerDest+"/"+mailRepo+"/config", nil)
	for _, name := range []string{"X-Backend", "X-HAProxy-Backend"} {
		if got := answer.header.Get(name); got != "backend@node2" {
			t.Errorf("%s is %q", name, got)
		}
	}
	// What a module may not do, it may not do through a hop, and a forged header gives nothing.
	first.module("mail1").want(t, http.StatusForbidden, "DELETE", "/"+peerDest+"/"+mailRepo+"/config", nil)
	first.module("wiki7").want(t, http.StatusForbidden, "GET", "/"+peerDest+"/"+mailRepo+"/config", nil)
	first.module("mail1").want(t, http.StatusLoopDetected, "GET", "/"+peerDest+"/"+mailRepo+"/config", nil, "X-Rclone-Gateway-Hop", "2")
	first.module("mail1").want(t, http.StatusNotFound, "GET", "/"+peerDest+"/"+mailRepo+"/data/"+nameOf(nil), nil)
	p.testOwnersLimits(t, first, second)
	nobody := caller{base: first.url, client: http.DefaultClient}
	nobody.want(t, http.StatusServiceUnavailable, "GET", "/"+peerDest+"/_probe_rest_404", nil)
	nobody.base = second.url
	nobody.want(t, http.StatusNotFound, "GET", "/"+peerDest+"/_probe_rest_404", nil)
}

// TestARepositoryAsItWasThroughAHop is read, locked and refused as where its disk is.
func TestARepositoryAsItWasThroughAHop(t *testing.T) {
	t.Parallel()
	p := newPeers(t)
	first := p.node(t, "1", redistest.LeaderIP, t.TempDir())
	second := p.node(t, "2", node2IP, t.TempDir())

	module := newRestic(t, "RESTIC_0_18", first.url+"/"+peerDest, mailRepo, "module/mail1")
	tree := t.TempDir()
	writeFile(t, filepath.Join(tree, "file"), []byte("as it was"))
	module.seed(t, 2)
	module.run(t, "backup", tree)
	then := secondOver(t)
	writeFile(t, filepath.Join(tree, "file"), []byte("changed"))
	module.run(t, "backup", tree)
	newRestic(t, "RESTIC_0_18", first.url+"/"+peerDest, mailRepo, "node/1").run(t, "forget", "--keep-last", "1", "--prune")

	was := pastOf(t, module, then)
	was.run(t, "check", "--read-data")
	target := t.TempDir()
	was.run(t, "restore", "latest", "--target", target)
	if got, err := os.ReadFile(filepath.Join(target, tree, "file")); err != nil || string(got) != "as it was" {
		t.Errorf("restored %q, %v", got, err)
	}
	if got := len(listed(t, second, "/"+peerDest+"/"+mailRepo+"/locks/")); got != 0 {
		t.Errorf("the repository holds %d locks", got)
	}

	view := "/" + past.Name(peerDest+"/"+mailRepo, then)
	answer := first.module("mail1").want(t, http.StatusOK, "GET", view+"/snapshots/", nil)
	if got := answer.header.Get("X-Backend"); got != "backend@node2" || bytes.Count(answer.body, []byte(`"name"`)) != 1 {
		t.Errorf("%q answers %s", got, answer.body)
	}
	content, name := blob(300)
	for _, user := range []caller{first.module("mail1"), first.node()} {
		user.want(t, http.StatusForbidden, "POST", view+"/data/"+name, content)
		user.want(t, http.StatusForbidden, "DELETE", view+"/config", nil)
		user.want(t, http.StatusNotFound, "GET", view+"/data/"+name, nil)
	}
	first.module("wiki7").want(t, http.StatusForbidden, "GET", view+"/config", nil)
	later := "/" + past.Name(peerDest+"/"+mailRepo, time.Now().Add(time.Hour))
	if answer := first.module("mail1").want(t, http.StatusForbidden, "GET", later+"/config", nil); !bytes.Contains(answer.body, []byte("not over")) {
		t.Errorf("a time that is not over: %s", answer.body)
	}
}

// testOwnersLimits gives a module less room than it has taken: the node with the disk
// refuses more, also through another node, whose log and metrics name it.
func (p *peers) testOwnersLimits(t *testing.T, first, second *served) {
	t.Helper()
	p.Do("HSET", catalog.LimitsKey(peerDest), catalog.FieldModuleQuota, "1000")
	for _, g := range []*served{first, second} {
		if err := g.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	content, name := blob(4000)
	first.module("mail1").want(t, http.StatusInsufficientStorage, "POST", "/"+peerDest+"/"+mailRepo+"/data/"+name, content)
	first.log.want(t, `"obj":"data/`+name, `"status":507`, `"node":"2"`)
	second.log.want(t, `"obj":"data/`+name, `"status":507`)
	metrics := first.node().want(t, http.StatusOK, "GET", "/metrics", nil)
	if !bytes.Contains(metrics.body, []byte(`rclone_gateway_forwarded_requests_total{code="507",node="2"} 1`)) {
		t.Error("the metrics do not say that node 2 has refused it")
	}
}

// TestADeadPeerCostsOneTimeout, and a healed one is used again soon.
func TestADeadPeerCostsOneTimeout(t *testing.T) {
	t.Parallel()
	p := newPeers(t)
	first := p.node(t, "1", redistest.LeaderIP, t.TempDir())
	second := p.node(t, "2", node2IP, t.TempDir())
	second.module("mail1").want(t, http.StatusOK, "POST", "/"+peerDest+"/"+mailRepo+"/?create=true", nil)
	config := "/" + peerDest + "/" + mailRepo + "/config"
	p.away.Store(true)
	first.module("mail1").want(t, http.StatusServiceUnavailable, "GET", config, nil)
	started := time.Now()
	first.module("mail1").want(t, http.StatusServiceUnavailable, "GET", config, nil)
	t.Logf("the second request to a dead peer took %v", time.Since(started))
	p.away.Store(false)
	healed := time.Now()
	waitFor(t, "the peer to be used again", func() bool {
		answer := first.module("mail1").call(t, "GET", config, nil)
		return answer.status == http.StatusNotFound
	})
	t.Logf("a healed peer was used after %v", time.Since(healed))
}

// oldConfig is that of a node with HAProxy before rclone, by what its callers see of it.
const oldConfig = `global
  log stderr format raw local0
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
userlist users
  user module/mail1 insecure-password %[1]s
  user node/1 insecure-password %[2]s
frontend gateway
  bind 127.0.0.1:%[3]d
  acl probe path_end _probe_rest_404
  http-request allow if probe
  http-request auth realm ns8-rclone-gateway unless { http_auth(users) }
  http-request del-header Authorization
  http-response set-header X-HAProxy-Backend backend@node2
  acl rest hdr_sub(Accept) application/vnd.x.restic.rest.v2
  acl create url_param(create) true
  use_backend webdav unless rest or create or probe
  default_backend node
backend webdav
  server rclone 127.0.0.1:%[9]d
backend node
  option httpchk
  http-check send meth GET uri /%[5]s/_probe_rest_404 hdr Accept application/vnd.x.restic.rest.v2
  http-check expect status 404
  http-request set-path %%[path,regsub(^/%[5]s,/)] if { path_beg /%[5]s }
  server rclone 127.0.0.1:%[4]d
backend peer
  option httpchk
  http-check send meth GET uri /%[6]s/_probe_rest_404 hdr Accept application/vnd.x.restic.rest.v2
  http-check expect status 404
  server other 127.0.0.1:%[7]d check inter 1s fastinter 200ms rise 2 fall 2
frontend status
  bind 127.0.0.1:%[8]d
  default_backend peer
`

// freePort returns a port that nobody has at the moment.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// TestANodeWithHAProxyAndRcloneIsAPeer, in both directions.
func TestANodeWithHAProxyAndRcloneIsAPeer(t *testing.T) {
	t.Parallel()
	haproxy := installed(t, "haproxy", "haproxy")
	p := newPeers(t)
	first := p.node(t, "1", redistest.LeaderIP, t.TempDir())
	tree := t.TempDir() // of all its destinations
	store := filepath.Join(tree, peerDest)
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	front, back, status, webdav := freePort(t), freePort(t), freePort(t), freePort(t)
	var ours int
	if _, err := fmt.Sscanf(first.url, "http://127.0.0.1:%d", &ours); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "haproxy.cfg")
	text := fmt.Sprintf(oldConfig, redistest.Password("module/mail1"), redistest.Password("node/1"), front, back, peerDest, localDest, ours, status, webdav)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{
		commandContext(t, program(t, "RCLONE"), "serve", "restic", "--addr", fmt.Sprintf("127.0.0.1:%d", back), store),
		commandContext(t, program(t, "RCLONE"), "serve", "webdav", "--addr", fmt.Sprintf("127.0.0.1:%d", webdav), tree),
		commandContext(t, haproxy, "-db", "-f", config),
	} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
	old := caller{base: fmt.Sprintf("http://127.0.0.1:%d", front), client: http.DefaultClient}
	waitFor(t, "HAProxy and rclone to answer", func() bool {
		answer, err := old.do(t.Context(), "GET", "/"+peerDest+"/_probe_rest_404", nil)
		if err != nil || answer.status != http.StatusNotFound {
			return false
		}
		answer, err = old.with("node/1", redistest.Password("node/1")).do(t.Context(), "OPTIONS", "/", nil, "Accept", "*/*")
		return err == nil && answer.status == http.StatusOK
	})
	p.links[node2IP+":4694"].connect(fmt.Sprintf("127.0.0.1:%d", front))
	testOldWebDAV(t, first)

	module := newRestic(t, "RESTIC_0_18", first.url+"/"+peerDest, mailRepo, "module/mail1")
	files := makeTree(t)
	module.seed(t, 2)
	module.run(t, "backup", files)
	module.run(t, "check", "--read-data")
	module.wantRestored(t, files)
	testOldREST(t, first)

	// The other way: HAProxy asks this gateway as it asks its own kind, and passes on.
	through := first.module("mail1")
	through.base = fmt.Sprintf("http://127.0.0.1:%d", status)
	waitFor(t, "HAProxy to take the gateway for a peer", func() bool {
		answer, err := through.do(t.Context(), "POST", "/"+localDest+"/"+mailRepo+"/?create=true", nil)
		return err == nil && answer.status == http.StatusOK
	})
	through.want(t, http.StatusNotFound, "HEAD", "/"+localDest+"/"+mailRepo+"/config", nil)
}

// plain are the headers of a client that takes nothing compressed, as rclone would answer.
var plain = []string{"Accept", "*/*", "Accept-Encoding", "identity"}

// testOldWebDAV stores and lists on an old node what NethServer 8's tools do.
func testOldWebDAV(t *testing.T, g *served) {
	t.Helper()
	node, base := g.node(), "/"+peerDest
	node.want(t, http.StatusCreated, "MKCOL", base+"/mail", nil, plain...)
	node.want(t, http.StatusCreated, "PUT", base+"/"+mailRepo+".json", []byte("{}"), plain...)
	node.want(t, http.StatusCreated, "PUT", base+"/"+mailRepo+".json", []byte(`{"success":true}`), plain...)
	for _, who := range []caller{node, g.module("mail1")} {
		if got := who.want(t, http.StatusOK, "GET", base+"/"+mailRepo+".json", nil, plain...); string(got.body) != `{"success":true}` {
			t.Errorf("%s reads %q", who.user, got.body)
		}
	}
	depth1 := append(slices.Clone(plain), "Depth", "1")
	wantPaths(t, propfindNS8(t, node.want(t, http.StatusMultiStatus, "PROPFIND", base+"/mail/", []byte(askNS8), depth1...)), base+"/mail/", base+"/"+mailRepo+".json")
	node.want(t, http.StatusNotFound, "PROPFIND", base+"/"+mailRepo+"/", []byte(askNS8), depth1...)
	node.want(t, http.StatusCreated, "COPY", base+"/"+mailRepo+".json", nil, append(slices.Clone(plain), "Destination", base+"/copy")...)
	node.want(t, http.StatusNoContent, "DELETE", base+"/copy", nil, plain...)
	node.want(t, http.StatusNotFound, "GET", base+"/copy", nil, plain...)
	g.module("wiki7").want(t, http.StatusForbidden, "GET", base+"/"+mailRepo+".json", nil, plain...)

	// What REST makes from here on is not in the old node's listings for minutes.
	g.module("mail1").want(t, http.StatusOK, "POST", base+"/"+mailRepo+"/?create=true", nil)
	stale := node.call(t, "PROPFIND", base+"/"+mailRepo+"/", []byte(askNS8), depth1...)
	if stale.status != http.StatusMultiStatus && stale.status != http.StatusNotFound {
		t.Errorf("PROPFIND of an empty repository: %d", stale.status)
	}
}

// testOldREST sends to the repository on an old node what that would take as it comes.
func testOldREST(t *testing.T, g *served) {
	t.Helper()
	module, base := g.module("mail1"), "/"+peerDest+"/"+mailRepo
	content, name := blob(1 << 20)
	damaged := bytes.Clone(content)
	damaged[5]++
	module.want(t, http.StatusBadRequest, "POST", base+"/data/"+name, damaged)
	// It may list for a moment what it then throws away.
	waitFor(t, "the old node to have nothing of it", func() bool {
		answer, err := module.do(t.Context(), "GET", base+"/data/"+name, http.NoBody)
		return err == nil && answer.status == http.StatusNotFound
	})
	module.want(t, http.StatusNotFound, "GET", base+"/data/"+nameOf(nil), nil)
	for range 2 {
		module.want(t, http.StatusOK, "POST", base+"/data/"+name, content)
	}
	module.want(t, http.StatusBadRequest, "POST", base+"/data/"+name, damaged)
	if got := module.want(t, http.StatusOK, "GET", base+"/data/"+name, nil); !bytes.Equal(got.body, content) {
		t.Error("a pack that was there has changed")
	}

	config := module.want(t, http.StatusOK, "GET", base+"/config", nil).body
	module.want(t, http.StatusOK, "POST", base+"/config", config)
	module.want(t, http.StatusForbidden, "POST", base+"/config", aConfig)
	module.want(t, http.StatusForbidden, "DELETE", base+"/config", nil)
	if got := module.want(t, http.StatusOK, "GET", base+"/config", nil); !bytes.Equal(got.body, config) {
		t.Error("the config has changed")
	}
	module.want(t, http.StatusBadRequest, "POST", base+"/keys/"+nameOf(aConfig), aConfig)
	// Its listings over WebDAV do not know the repository yet; that is no 404.
	stale := module.call(t, "PROPFIND", base+"/", []byte(askNS8), append(slices.Clone(plain), "Depth", "1")...)
	if stale.status != http.StatusMultiStatus && stale.status != http.StatusBadGateway {
		t.Errorf("PROPFIND of a repository that is there: %d", stale.status)
	}
}
