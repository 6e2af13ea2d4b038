package integration

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// The bounds on what a peer that went away may cost, and the time that a busy machine
// gets on top of each.
const (
	deadPeer   = 5 * time.Second  // once
	stuckPeer  = 15 * time.Second // a request that is under way
	healedPeer = 10 * time.Second // until it is used again
	busy       = 15 * time.Second
)

// TestThreeNodes backs up through hops while links, nodes, the leader and the replicas of
// Redis come and go. Every backup must end well, and every repository be whole.
func TestThreeNodes(t *testing.T) {
	t.Parallel()
	w := newNodes(t)
	mailTree, wikiTree := storageTree(t, 1<<20), storageTree(t, 1<<20)
	old := w.one.restic(t, "RESTIC_0_14", onNode2, mailRepo, "module/mail1")
	current := w.three.restic(t, "RESTIC_0_18", onNode2, wikiRepo, "module/wiki7")
	old.seed(t, 2)
	current.seed(t, 2)

	t.Run("links are slowed, cut and healed", func(t *testing.T) {
		w.vpn.slow(w.one.ip, w.two.ip, pace{10 * time.Millisecond, 4 << 20})
		w.vpn.slow(w.three.ip, w.two.ip, pace{10 * time.Millisecond, 4 << 20})
		sentOld, sentCurrent := w.vpn.passed(w.one.ip, w.two.ip), w.vpn.passed(w.three.ip, w.two.ip)
		first, second := old.begin(t, mailTree), current.begin(t, wikiTree)
		w.wantUnderway(t, w.one, w.two, sentOld)
		w.wantUnderway(t, w.three, w.two, sentCurrent)
		marks := []int{w.one.gateway.out.mark(), w.three.gateway.out.mark()}
		w.vpn.cut(w.one.ip, w.two.ip)
		w.three.run(t, "ip", "link", "set", "wg0", "down")
		w.one.gateway.out.wantFrom(t, marks[0], "a peer is not reached", `"node":"2"`)
		w.three.gateway.out.wantFrom(t, marks[1], "a peer is not reached", `"node":"2"`)
		w.vpn.heal(w.one.ip, w.two.ip)
		w.three.run(t, "ip", "link", "set", "wg0", "up")
		first.wantGood(t)
		second.wantGood(t)
	})

	t.Run("the owner is killed and restarted", func(t *testing.T) {
		sentOld, sentCurrent := w.vpn.passed(w.one.ip, w.two.ip), w.vpn.passed(w.three.ip, w.two.ip)
		first, second := old.begin(t, mailTree), current.begin(t, wikiTree)
		w.wantUnderway(t, w.one, w.two, sentOld)
		w.wantUnderway(t, w.three, w.two, sentCurrent)
		mark := w.three.gateway.out.mark()
		w.two.kill(t)
		w.three.gateway.out.wantFrom(t, mark, "a peer is not reached", `"node":"2"`)
		w.two.start(t)
		first.wantGood(t)
		second.wantGood(t)
	})

	t.Run("the leader is killed and restarted", func(t *testing.T) {
		w.vpn.slow(w.three.ip, w.one.ip, pace{10 * time.Millisecond, 4 << 20})
		toLeader := w.three.restic(t, "RESTIC_0_14", onLeader, wikiRepo, "module/wiki7")
		toLeader.seed(t, 2)
		sentLeader, sentOwner := w.vpn.passed(w.three.ip, w.one.ip), w.vpn.passed(w.three.ip, w.two.ip)
		first := toLeader.begin(t, wikiTree)
		w.wantUnderway(t, w.three, w.one, sentLeader)
		second := current.begin(t, mailTree)
		w.wantUnderway(t, w.three, w.two, sentOwner)
		mark := w.three.gateway.out.mark()
		w.leader.Stop()
		w.one.kill(t)
		second.wantGood(t) // with no leader at all
		w.three.gateway.out.wantFrom(t, mark, "a peer is not reached", `"node":"1"`)
		w.leader.Restart()
		w.one.start(t)
		first.wantGood(t)
		w.vpn.slow(w.three.ip, w.one.ip, pace{})
		// The backup may have ended before the leader did, so that nobody has waited for it.
		w.three.as("module/wiki7").within(t, healedPeer+busy, http.StatusOK, http.MethodGet, "/"+onLeader+"/"+wikiRepo+"/config")
		toLeader.run(t, "check", "--read-data")
	})
	w.vpn.slow(w.one.ip, w.two.ip, pace{})
	w.vpn.slow(w.three.ip, w.two.ip, pace{})

	t.Run("a replica lags behind the leader", func(t *testing.T) { w.testSplit(t) })

	old.run(t, "check", "--read-data")
	current.run(t, "check", "--read-data")

	t.Run("a peer that went away without a word", func(t *testing.T) { w.testDeadPeer(t) })
}

// testSplit cuts the replica of node 3 off, and backs up to that node: as a module that it
// knows, and as one that has got another password meanwhile, which that node would refuse.
func (w *nodes) testSplit(t *testing.T) {
	const path = "/" + onNode3 + "/" + chatRepo + "/config"
	w.leader.AddModules(chat)
	known := w.one.restic(t, "RESTIC_0_14", onNode3, mailRepo, "module/mail1")
	changed := w.two.restic(t, "RESTIC_0_18", onNode3, chatRepo, "module/chat3")
	known.seed(t, 2)
	changed.seed(t, 2)

	w.vpn.cutPort(w.one.ip, w.three.ip, 6379)
	tree := storageTree(t, 1<<20)
	first := known.begin(t, tree)
	password := redistest.Password("module/chat3, again")
	w.leader.Do("ACL", "SETUSER", "module/chat3", "resetpass", ">"+password)
	w.leader.SaveACLs()
	changed.repository = strings.Replace(changed.repository, redistest.Password("module/chat3"), password, 1)
	mark := w.two.gateway.out.mark()
	second := changed.begin(t, tree)
	w.two.gateway.out.wantFrom(t, mark, `"status":503`, `"user":"module/chat3"`, `"obj":"config"`, "node 3 answers 401")
	w.three.as("").with("module/chat3", password).want(t, http.StatusUnauthorized, http.MethodHead, path, nil)
	first.wantGood(t)

	w.vpn.cutPort(w.one.ip, w.three.ip, 0)
	second.wantGood(t)
	known.run(t, "check", "--read-data")
	changed.run(t, "check", "--read-data")
}

// testDeadPeer measures what a peer costs that does not answer, and when it is used again.
func (w *nodes) testDeadPeer(t *testing.T) {
	const size = 16 << 20
	content, name := blob(size)
	path := "/" + onNode2 + "/" + mailRepo
	module := w.one.as("module/mail1")
	module.want(t, http.StatusOK, http.MethodPost, path+"/data/"+name, content)
	w.vpn.slow(w.one.ip, w.two.ip, pace{bytesPerSecond: 1 << 20})

	// A download is under way.
	got := make(chan error, 1)
	before := w.vpn.passed(w.two.ip, w.one.ip)
	go func() {
		_, err := module.do(t.Context(), http.MethodGet, path+"/data/"+name, http.NoBody)
		got <- err
	}()
	waitFor(t, "the download to begin", func() bool { return w.vpn.passed(w.two.ip, w.one.ip) > before+1<<18 })
	w.vpn.cut(w.one.ip, w.two.ip)
	cut := time.Now()
	select {
	case err := <-got:
		if err == nil {
			t.Error("a download that was cut ended well")
		}
	case <-time.After(stuckPeer + busy):
		t.Fatalf("a download hangs for %v", time.Since(cut))
	}
	t.Logf("a download under way was ended after %v", time.Since(cut))

	// The gateway is started again, so that it has forgotten the peer.
	w.one.kill(t)
	w.one.start(t)
	t.Logf("the first request to a dead peer took %v", module.within(t, deadPeer+busy, http.StatusServiceUnavailable, http.MethodGet, path+"/config"))
	t.Logf("the second took %v", module.within(t, deadPeer+busy, http.StatusServiceUnavailable, http.MethodGet, path+"/config"))
	w.vpn.slow(w.one.ip, w.two.ip, pace{})
	w.vpn.heal(w.one.ip, w.two.ip)
	t.Logf("after it healed it was used within %v", module.within(t, healedPeer+busy, http.StatusOK, http.MethodGet, path+"/config"))
}
