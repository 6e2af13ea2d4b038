package integration

import (
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testcert"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// often makes a gateway look at Redis every second.
func often(opts *gateway.Options) { opts.RefreshInterval = time.Second }

func TestRedisAwayAtTheStart(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Stop()
	g := startGateway(t, c.asNode(), often)
	g.log.want(t, "cannot load from Redis, trying again", "connection refused", `"serving":false`)
	nobody := g.node().with("", "")
	nobody.want(t, http.StatusOK, http.MethodGet, "/-/healthy", nil)
	nobody.want(t, http.StatusServiceUnavailable, http.MethodGet, "/-/ready", nil)
	g.module("mail1").want(t, http.StatusServiceUnavailable, http.MethodHead, "/"+localDest+"/"+mailRepo+"/config", nil)
	nobody.want(t, http.StatusUnauthorized, http.MethodHead, "/"+localDest+"/"+mailRepo+"/config", nil)

	c.Restart()
	g.waitReady(t)
	nobody.want(t, http.StatusOK, http.MethodGet, "/-/ready", nil)
	g.module("mail1").want(t, http.StatusNotFound, http.MethodHead, "/"+localDest+"/"+mailRepo+"/config", nil)
	g.log.want(t, "loaded from Redis", `"users":3`, `"destinations":1`)
	g.log.want(t, "subscribed to Redis events")
}

// TestRedisDiesInTheMiddleOfABackup finishes the backup on what was known.
func TestRedisDiesInTheMiddleOfABackup(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct{ hurt, mend func(*cluster) }{
		"it is killed": {func(c *cluster) { c.Stop() }, func(c *cluster) { c.Restart() }},
		"it hangs":     {func(c *cluster) { c.Pause() }, func(c *cluster) { c.Resume() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			g := c.serve(t, often)
			module := newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, "module/mail1")
			tree := makeTree(t)
			module.seed(t, 2)

			backup := startProcess(t, module.command(t, "backup", "--limit-upload", "6144", tree))
			g.log.want(t, `"method":"POST"`, `"status":200`, `"obj":"data/`)
			fault.hurt(c)
			g.log.want(t, "cannot load from Redis, trying again", `"serving":true`)
			nobody := g.node().with("", "")
			nobody.want(t, http.StatusServiceUnavailable, http.MethodGet, "/-/ready", nil)
			nobody.want(t, http.StatusOK, http.MethodGet, "/-/healthy", nil)
			// Neither may be refused for good by whoever cannot ask.
			path := "/" + localDest + "/" + mailRepo + "/config"
			var asked sync.WaitGroup
			for _, news := range []struct {
				caller
				path string
			}{
				{g.module("fresh1"), path},
				{g.module("mail1").with("module/mail1", wrongPassword), path},
				{g.module("mail1"), "/" + moreDest + "/" + mailRepo + "/config"},
			} {
				asked.Go(func() {
					answer, err := news.do(t.Context(), http.MethodGet, news.path, nil)
					if err != nil || answer.status != http.StatusServiceUnavailable {
						t.Errorf("%s, %s: %v, %v; want 503", news.user, news.path, answer, err)
					}
				})
			}
			g.module("mail1").want(t, http.StatusOK, http.MethodGet, path, nil)
			asked.Wait()
			if code := backup.wait(t); code != 0 {
				t.Fatalf("the backup ended with %d:\n%s", code, strings.Join(backup.out.all(), "\n"))
			}
			module.run(t, "check")
			if nobody.call(t, http.MethodGet, "/-/ready", nil).status != http.StatusServiceUnavailable {
				t.Error("ready again without Redis")
			}

			fault.mend(c)
			g.waitReady(t)
			c.AddModules(redistest.Module{ID: "fresh1", UUID: "11111111-0000-4000-8000-000000000001"})
			g.module("fresh1").want(t, http.StatusOK, http.MethodPost, "/"+localDest+"/fresh/11111111-0000-4000-8000-000000000001/?create=true", nil)
			g.module("mail1").with("module/mail1", wrongPassword).want(t, http.StatusUnauthorized, http.MethodGet, path, nil)
			module.wantRestored(t, tree)
		})
	}
}

// TestRedisThatAnswersGarbage is as good as one that is away.
func TestRedisThatAnswersGarbage(t *testing.T) {
	t.Parallel()
	for name, garbage := range map[string]string{
		"no protocol":       "HTTP/1.1 400 Bad Request\r\n\r\n",
		"an endless number": "*" + strings.Repeat("9", 100) + "\r\n",
		"wrong types":       "+OK\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n:10\r\n:11\r\n:12\r\n",
		"nothing":           "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := catalog.Redis{Address: answeringServer(t, garbage), Username: "node/1", Password: redistest.Password("node/1")}
			g := startGateway(t, redis, often)
			g.log.want(t, "cannot load from Redis, trying again")
			g.node().with("", "").want(t, http.StatusServiceUnavailable, http.MethodGet, "/-/ready", nil)
			g.node().want(t, http.StatusServiceUnavailable, http.MethodGet, "/"+localDest+"/"+mailRepo+"/config", nil)
		})
	}
}

// TestEventsAreHeardByUserDefault is NethServer 8: the node's own user may not
// subscribe.
func TestEventsAreHeardByUserDefault(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t, func(opts *gateway.Options) { opts.RefreshInterval = patience * 100 })
	g.log.want(t, "subscribed to Redis events")
	c.AddLocalDestination(moreDest, t.TempDir())
	g.log.want(t, "loaded from Redis", `"destinations":2`)
	c.AddModules(redistest.Module{ID: "fresh1", UUID: "11111111-0000-4000-8000-000000000001"})
	g.log.want(t, "loaded from Redis", `"users":4`)

	// Where nobody may subscribe, a poll finds what changed.
	c.Do("ACL", "SETUSER", "default", "resetchannels", "-subscribe")
	deaf := c.serve(t, often)
	deaf.log.want(t, "no user may subscribe to Redis events")
	c.RemoveModule("fresh1")
	deaf.log.want(t, "loaded from Redis", `"users":3`)
}

// ownCommand is what the gateway sends for itself, as the last command of a connection:
// that it is there, and what every connection begins with.
var ownCommand = regexp.MustCompile(` cmd=(hset|expire|pexpire|hpexpire|set|del|exec|hello|auth|client\|\w+|ping) `)

// isRead reports whether a gateway reads its state from that server.
func isRead(t *testing.T, s *redistest.Server) bool {
	t.Helper()
	clients, err := s.Admin().ClientList(t.Context()).Result()
	return err == nil && slices.ContainsFunc(strings.Split(clients, "\n"), func(client string) bool {
		return strings.Contains(client, "user=node/1") && !ownCommand.MatchString(client)
	})
}

func TestReplicaIsPreferred(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		t.Fatal(err)
	}
	replica := redistest.Start(t, "--replicaof", host+" "+port,
		"--masteruser", redistest.AdminUser, "--masterauth", redistest.Password(redistest.AdminUser))
	// Users are not replicated.
	replica.Do("ACL", "SETUSER", "node/1", "on", ">"+redistest.Password("node/1"), "%R~*", "+@read", "+@connection")
	waitFor(t, "the replica to have the data", func() bool {
		return replica.Admin().Exists(t.Context(), catalog.ACLs).Val() == 1
	})
	redis := c.asNode()
	redis.ReplicaAddress = replica.Addr
	g := startGateway(t, redis, often)
	g.waitReady(t)
	if !isRead(t, replica) || isRead(t, c.Server) {
		t.Error("the gateway reads from the main server")
	}
	c.AddLocalDestination(moreDest, t.TempDir())
	g.log.want(t, "loaded from Redis", `"destinations":2`)

	replica.Kill()
	c.RemoveDestination(moreDest)
	waitFor(t, "the main server to be read", func() bool { return isRead(t, c.Server) })
	g.waitReady(t)
	g.module("mail1").want(t, http.StatusNotFound, http.MethodHead, "/"+localDest+"/"+mailRepo+"/config", nil)
}

// TestWaysToRedis reaches it by everything that a configuration may name.
func TestWaysToRedis(t *testing.T) {
	t.Parallel()
	ca, cert, key := makeCertificates(t)
	_, tlsPort, err := net.SplitHostPort(testenv.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{Server: redistest.Start(t, "--tls-port", tlsPort, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", ca, "--tls-auth-clients", "yes"), dir: t.TempDir()}
	c.fill()
	user, password := "node%2F1", redistest.Password("node/1")
	own := c.asNode()
	tls := redisconn.TLS{CA: ca, Cert: cert, Key: key}
	for name, way := range map[string]catalog.Redis{
		"a unix socket":       {Address: c.Socket, Username: own.Username, Password: own.Password},
		"the URL of a socket": {URL: "unix://" + c.Socket, Username: own.Username, Password: own.Password},
		"a URL":               {URL: "redis://" + user + ":" + password + "@" + c.Addr},
		"a URL with TLS":      {URL: "rediss://" + user + ":" + password + "@127.0.0.1:" + tlsPort, TLS: tls},
		"an address with TLS": {Address: "127.0.0.1:" + tlsPort, TLS: tls, Username: own.Username, Password: own.Password},
		"Sentinel":            {SentinelMaster: "ns8", SentinelAddrs: []string{redistest.StartSentinel(t, "ns8", c.Server)}, Username: own.Username, Password: own.Password},
		// An address where none listens may be another test's a moment later.
		"a replica that fails": {Address: c.Addr, ReplicaAddress: answeringServer(t, ""), Username: own.Username, Password: own.Password},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, way)
			g.waitReady(t)
			g.log.want(t, "subscribed to Redis events")
			g.module("mail1").want(t, http.StatusNotFound, http.MethodHead, "/"+localDest+"/"+mailRepo+"/config", nil)
		})
	}
	t.Run("TLS of an unknown CA", func(t *testing.T) {
		t.Parallel()
		otherCA, _, _ := makeCertificates(t)
		g := startGateway(t, catalog.Redis{URL: "rediss://" + user + ":" + password + "@127.0.0.1:" + tlsPort, TLS: redisconn.TLS{CA: otherCA, Cert: cert, Key: key}})
		g.log.want(t, "cannot load from Redis", "certificate signed by unknown authority")
		if g.Ready() {
			t.Error("ready")
		}
	})
}

// makeCertificates writes a CA and a certificate for this host, good for servers
// and clients.
func makeCertificates(t *testing.T) (ca, cert, key string) {
	t.Helper()
	authority := testcert.New(t)
	cert, key = authority.Issue(t, "127.0.0.1")
	return authority.CA, cert, key
}
