package integration

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// lease asks for a lease, renews or releases one, and wants status 200.
func (c caller) lease(t *testing.T, method string, asked adminapi.LeaseRequest) (reply adminapi.LeaseReply) {
	t.Helper()
	answer := c.want(t, http.StatusOK, method, adminapi.LeasePath, leaseRequest(t, asked))
	if err := json.Unmarshal(answer.body, &reply); err != nil {
		t.Fatalf("%s answers %q: %v", method, answer.body, err)
	}
	return reply
}

func leaseRequest(t *testing.T, asked adminapi.LeaseRequest) []byte {
	t.Helper()
	body, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// endLeases has the leases end that a node's gateway keeps, as if nobody had renewed them
// for a minute.
func (c *cluster) endLeases(node, repo string) {
	c.Do("DEL", catalog.LiveLeaseKey(node, localDest, repo))
}

// secondGateway is a gateway of node 2 on the same Redis.
func (c *cluster) secondGateway(t *testing.T) *served {
	t.Helper()
	r := c.asNode()
	r.Username, r.Password = "node/2", redistest.Password("node/2")
	g := startGateway(t, r, func(o *gateway.Options) { o.Load.NodeID = "2" })
	g.waitReady(t)
	return g
}

// TestLeaseIsGrantedToModulesAndNodesOverEitherGateway has them take turns on a repository.
func TestLeaseIsGrantedToModulesAndNodesOverEitherGateway(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.AddNode("2", "10.5.4.2")
	one := c.serve(t)
	two := c.secondGateway(t)
	mailRepository := localDest + "/" + mailRepo
	backup := adminapi.LeaseRequest{Repository: mailRepository, Purpose: "backup", Lockers: []string{"host-a"}}
	prune := adminapi.LeaseRequest{Repository: mailRepository, Purpose: "prune"}

	first := one.module("mail1").lease(t, http.MethodPost, backup)
	if first.Token == "" || first.Counter < 1 || first.Seconds != 60 || len(first.Dead) > 0 {
		t.Fatalf("a module is granted %+v", first)
	}
	for name, other := range map[string]caller{"the module again": one.module("mail1"), "its node": one.node(), "another gateway": callerOf(two.url, "node/2")} {
		held := other.lease(t, http.MethodPost, prune).Held
		if held == nil || held.Holder != "module/mail1" || held.Purpose != "backup" || held.Seconds <= 0 || held.Seconds > 60 {
			t.Errorf("%s: it is said to be held by %+v", name, held)
		}
	}
	if wiki := one.module("wiki7").lease(t, http.MethodPost, adminapi.LeaseRequest{Repository: localDest + "/" + wikiRepo, Purpose: "backup"}); wiki.Token == "" {
		t.Errorf("of another repository the module is granted %+v", wiki)
	}

	t.Run("it is renewed, by its holder alone, whichever gateway granted it", func(t *testing.T) {
		renew := adminapi.LeaseRequest{Repository: mailRepository, Token: first.Token, Lockers: []string{"host-a 17"}}
		for _, gateway := range []*served{one, two} {
			if again := gateway.module("mail1").lease(t, http.MethodPut, renew); again.Token != first.Token || again.Lost || again.Counter < first.Counter {
				t.Errorf("renewed is %+v", again)
			}
		}
		if stolen := one.node().lease(t, http.MethodPut, renew); !stolen.Lost {
			t.Errorf("the node renews the module's: %+v", stolen)
		}
		if guessed := one.module("mail1").lease(t, http.MethodPut, adminapi.LeaseRequest{Repository: mailRepository, Token: "guessed"}); !guessed.Lost {
			t.Errorf("with a token of nobody's: %+v", guessed)
		}
		one.node().lease(t, http.MethodDelete, adminapi.LeaseRequest{Repository: mailRepository, Token: first.Token})
		if held := one.node().lease(t, http.MethodPost, prune).Held; held == nil {
			t.Error("the node has released the module's")
		}
	})

	t.Run("a dead one is taken over, with what its locks name", func(t *testing.T) {
		c.endLeases("1", mailRepo)
		c.endLeases("2", mailRepo) // who renewed it last
		second := one.node().lease(t, http.MethodPost, prune)
		if second.Token == "" || second.Counter <= first.Counter || !slices.Equal(second.Dead, []string{"host-a", "host-a 17"}) {
			t.Errorf("the node is granted %+v", second)
		}
		if late := one.module("mail1").lease(t, http.MethodPut, adminapi.LeaseRequest{Repository: mailRepository, Token: first.Token}); !late.Lost {
			t.Errorf("who was taken for dead hears %+v", late)
		}
		one.node().lease(t, http.MethodDelete, adminapi.LeaseRequest{Repository: mailRepository, Token: second.Token, Clean: true})
		third := two.module("mail1").lease(t, http.MethodPost, backup)
		if third.Counter <= second.Counter || len(third.Dead) > 0 {
			t.Errorf("after a clean release the module is granted %+v", third)
		}
	})
}

// TestLeaseIsRefusedToWhoMayNotSave asks for what nobody is to get.
func TestLeaseIsRefusedToWhoMayNotSave(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	mailRepository := localDest + "/" + mailRepo
	backup := func(repository string) adminapi.LeaseRequest {
		return adminapi.LeaseRequest{Repository: repository, Purpose: "backup"}
	}
	for name, test := range map[string]struct {
		caller caller
		asked  adminapi.LeaseRequest
		status int
	}{
		"without credentials":                  {caller{base: g.url, client: http.DefaultClient}, backup(mailRepository), http.StatusUnauthorized},
		"with a wrong password":                {g.node().with("node/1", wrongPassword), backup(mailRepository), http.StatusUnauthorized},
		"a module, of another's repository":    {g.module("wiki7"), backup(mailRepository), http.StatusForbidden},
		"a module, of what is no repository":   {g.module("wiki7"), backup(localDest), http.StatusForbidden},
		"a node, of what is no repository":     {g.node(), backup(localDest + "/mail"), http.StatusNotFound},
		"a node, of a path that leads outside": {g.node(), backup(localDest + "/../" + mailUUID), http.StatusNotFound},
		"for a purpose of many lines":          {g.node(), adminapi.LeaseRequest{Repository: mailRepository, Purpose: "a\nb"}, http.StatusBadRequest},
	} {
		answer := test.caller.call(t, http.MethodPost, adminapi.LeasePath, leaseRequest(t, test.asked))
		if answer.status != test.status {
			t.Errorf("%s: %d, want %d: %s", name, answer.status, test.status, answer.body)
		}
	}
	g.node().want(t, http.StatusBadRequest, http.MethodPost, adminapi.LeasePath, []byte(`{"repository":`))
	if keys := c.Do("KEYS", "node/*/lease*"); len(keys.([]any)) > 0 {
		t.Errorf("refused requests wrote %v", keys)
	}
}

// TestNodeDeletesUnderALeaseAlone is a destination that demands leases.
func TestNodeDeletesUnderALeaseAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Do("HSET", catalog.LimitsKey(localDest), catalog.FieldLeases, 1, catalog.FieldKeepDeleted, 0)
	g := c.serve(t)
	mailRepository := localDest + "/" + mailRepo
	at := "/" + mailRepository + "/"
	module, node := g.module("mail1"), g.node()
	module.want(t, http.StatusOK, http.MethodPost, at+"?create=true", nil)
	module.want(t, http.StatusOK, http.MethodPost, at+"config", aConfig)
	save := func(kind string, as caller) string {
		content, name := blob(200)
		as.want(t, http.StatusOK, http.MethodPost, at+kind+"/"+name, content)
		return at + kind + "/" + name
	}
	pack, own, other := save("data", module), save("locks", node), save("locks", module)

	for _, path := range []string{pack, other} {
		if answer := node.want(t, http.StatusForbidden, http.MethodDelete, path, nil); !containsAll(string(answer.body), []string{"lease"}) {
			t.Errorf("the refusal does not say why: %s", answer.body)
		}
	}
	node.want(t, http.StatusOK, http.MethodDelete, own, nil) // every command of restic makes and removes one
	module.want(t, http.StatusOK, http.MethodDelete, other, nil)

	held := module.lease(t, http.MethodPost, adminapi.LeaseRequest{Repository: mailRepository, Purpose: "backup"})
	node.want(t, http.StatusForbidden, http.MethodDelete, pack, nil) // it is the module's lease
	module.lease(t, http.MethodDelete, adminapi.LeaseRequest{Repository: mailRepository, Token: held.Token})

	held = node.lease(t, http.MethodPost, adminapi.LeaseRequest{Repository: mailRepository, Purpose: "prune"})
	stale := save("locks", module)
	node.want(t, http.StatusOK, http.MethodDelete, pack, nil)
	node.want(t, http.StatusOK, http.MethodDelete, stale, nil)
	node.lease(t, http.MethodDelete, adminapi.LeaseRequest{Repository: mailRepository, Token: held.Token})
	node.want(t, http.StatusForbidden, http.MethodDelete, save("data", module), nil)
}

// TestLeaseWithoutRedisIsNone is what clients take for none that can be had now: a backup
// goes on, and what deletes waits.
func TestLeaseWithoutRedisIsNone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	asked := adminapi.LeaseRequest{Repository: localDest + "/" + mailRepo, Purpose: "backup"}
	c.Do("REPLICAOF", "127.0.0.1", "1") // as during a failover: reads are answered, writes are not
	g.module("mail1").want(t, http.StatusServiceUnavailable, http.MethodPost, adminapi.LeasePath, leaseRequest(t, asked))
	c.Do("REPLICAOF", "NO", "ONE")
	if granted := g.module("mail1").lease(t, http.MethodPost, asked); granted.Token == "" {
		t.Errorf("after it the module is granted %+v", granted)
	}
}
