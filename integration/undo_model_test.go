package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/past"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// lived is a repository that restic works on at random, through a gateway that is killed at
// random, and what must be of it. The model in gateway/trash knows every object; this
// one knows the snapshots, and leaves the rest to restic's own check.
type lived struct {
	t      *testing.T
	c      *cluster
	dest   string
	addr   string
	state  string // directory of the gateway's state
	d      *daemon
	g      *served
	tree   string
	module restic
	node   restic

	snapshots map[string]*lifetime
	moments   []time.Time // the second after which a step was over
	horizon   int         // the moments before it are refused
}

// lifetime is that of a snapshot, in steps.
type lifetime struct {
	received int
	deleted  int // while it is not there; 0 while it is
	purged   bool
}

// was reports whether a snapshot was there after a step, as far as is remembered: that it
// was gone for a while is not.
func (l *lifetime) was(step int) bool {
	return !l.purged && l.received <= step && (l.deleted == 0 || l.deleted > step)
}

const (
	livedSteps = 12
	livedFile  = 200 << 10
)

// TestResticChecksEveryViewOfARandomHistory saves, forgets, prunes, rolls back, brings back
// and purges at random, with kills of the gateway. After each step the repository, and a
// view of it at a time at random, hold the snapshots that they must, and restic's check
// passes on both, unless the view is before the horizon: then it is refused.
func TestResticChecksEveryViewOfARandomHistory(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name  string
		start func(*testing.T) *storageServer
		seed  uint64
	}{{"local disk", nil, 1}, {"MinIO", startMinIO, 6}} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			l := &lived{t: t, c: newCluster(t), dest: localDest, snapshots: map[string]*lifetime{}}
			if kind.start != nil {
				s := kind.start(t)
				l.dest = moreDest
				l.c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
			}
			l.begin()
			random := rand.New(rand.NewPCG(kind.seed, 12)) //nolint:gosec // a test's
			for range livedSteps {
				l.step(random)
				l.over()
				l.check(random)
			}
		})
	}
}

// begin makes the repository, with one backup. Its key is one that costs no time.
func (l *lived) begin() {
	l.t.Helper()
	l.addr, l.state, l.tree = testenv.FreeAddr(l.t), l.t.TempDir(), l.t.TempDir()
	l.open()
	l.module = newRestic(l.t, "RESTIC_0_18", l.g.url+"/"+l.dest, mailRepo, "module/mail1")
	l.node = newRestic(l.t, "RESTIC_0_18", l.g.url+"/"+l.dest, mailRepo, "node/1")
	l.module.seed(l.t, 2)
	l.over() // step 0: all of that
	l.backup(rand.New(rand.NewPCG(0, 0)), false)
	l.over()
}

// open starts the gateway.
func (l *lived) open() {
	l.t.Helper()
	l.d = l.c.startCommand(l.t, l.c.command(l.t, "serve", "--addr", l.addr, "--state-dir", l.state))
	l.d.out.want(l.t, "loaded from Redis")
	l.g = &served{url: l.d.url, log: l.d.out}
}

// killed runs a command of restic's, and kills the gateway once it has answered a request
// of that method since; restic tries again. It reports whether that went well.
func (l *lived) killed(method string, r restic, args ...string) bool {
	l.t.Helper()
	asked := func() int {
		return strings.Count(strings.Join(l.d.out.all(), "\n"), `"method":"`+method+`"`)
	}
	before := asked()
	cmd := r.command(l.t, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	waitFor(l.t, "restic to be under way", func() bool { return asked() > before || len(ended) > 0 })
	_ = l.d.cmd.Process.Kill()
	<-l.d.exited
	l.open()
	err := <-ended
	if err != nil {
		l.t.Logf("restic %s: %v\n%s", args, err, out.String())
	}
	return err == nil
}

// now is the number of the step that is under way.
func (l *lived) now() int { return len(l.moments) }

// over ends a step.
func (l *lived) over() { l.moments = append(l.moments, secondOver(l.t)) }

// there are the snapshots that are there, sorted.
func (l *lived) there() []string { return l.at(l.now()) }

// at are those that were there after a step.
func (l *lived) at(step int) []string {
	ids := []string{}
	for id, life := range l.snapshots {
		if life.was(step) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (l *lived) step(random *rand.Rand) {
	l.t.Helper()
	there := l.there()
	n := random.IntN(12)
	l.t.Logf("step %d: %d, with %d snapshots", l.now(), n, len(there))
	switch {
	case n < 4 || len(there) == 0:
		l.backup(random, n == 0)
	case n < 7:
		l.forget(random, there[random.IntN(len(there))])
	case n == 7:
		l.node.run(l.t, "prune", "--max-unused", "0")
	case n < 10:
		l.rollback(random.IntN(len(l.moments)))
	case n == 10:
		l.bringBack()
	default:
		l.purge(random.IntN(len(l.moments)))
	}
}

func (l *lived) backup(random *rand.Rand, kill bool) {
	l.t.Helper()
	content, _ := blob(livedFile)
	writeFile(l.t, filepath.Join(l.tree, fmt.Sprint("file", random.IntN(5))), content)
	if !kill {
		l.module.run(l.t, "backup", l.tree)
	} else if !l.killed(http.MethodPost, l.module, "backup", l.tree) {
		l.t.Fatal("restic does not try again")
	}
	for id := range l.listed(l.path("snapshots")) {
		if l.snapshots[id] == nil {
			l.snapshots[id] = &lifetime{received: l.now()}
		}
	}
}

// forget forgets a snapshot, and may prune.
func (l *lived) forget(random *rand.Rand, id string) {
	l.t.Helper()
	args := []string{"forget", id}
	if random.IntN(3) > 0 {
		args = append(args, "--prune", "--max-unused", "0")
	}
	if random.IntN(3) > 0 {
		l.node.run(l.t, args...)
	} else if !l.killed(http.MethodDelete, l.node, args...) {
		// It may take it for a failure that what it deletes again is not there.
		l.node.run(l.t, "unlock", "--remove-all")
		if _, left := l.listed(l.path("snapshots"))[id]; left {
			l.node.run(l.t, args...)
		}
	}
	l.snapshots[id].deleted = l.now()
}

// rollback makes the repository what it was after a step.
func (l *lived) rollback(step int) {
	l.t.Helper()
	answer := l.g.node().want(l.t, http.StatusOK, http.MethodPost, adminapi.RollbackPath,
		fmt.Appendf(nil, `{"destination":%q,"repository":%q,"to":%q}`, l.dest, mailRepo, l.moments[step].UTC().Format(time.RFC3339)))
	var reply adminapi.RollbackReply
	if err := json.Unmarshal(answer.body, &reply); err != nil {
		l.t.Fatal(err)
	}
	if refused := step < l.horizon; refused != !reply.Horizon.IsZero() || refused == reply.Frozen {
		l.t.Fatalf("a rollback to step %d, with the horizon at %d: %s", step, l.horizon, answer.body)
	}
	if !reply.Frozen {
		return
	}
	l.g.node().want(l.t, http.StatusOK, http.MethodPost, adminapi.ThawPath, fmt.Appendf(nil, `{"destination":%q,"repository":%q}`, l.dest, mailRepo))
	for _, life := range l.snapshots {
		switch was := life.was(step); {
		case was:
			life.deleted = 0
		case life.deleted == 0 && !life.purged:
			life.deleted = l.now()
		}
	}
}

func (l *lived) bringBack() {
	l.t.Helper()
	bringBack(l.t, l.g, l.dest, mailRepo)
	for _, life := range l.snapshots {
		life.deleted = 0
	}
}

// purge empties the trash of what was deleted by the end of a step.
func (l *lived) purge(step int) {
	l.t.Helper()
	before := l.moments[step].Add(time.Second)
	for _, o := range trashed(l.t, l.g, l.dest, mailRepo) {
		if o.Deleted.Before(before) {
			l.horizon = max(l.horizon, slices.IndexFunc(l.moments, func(at time.Time) bool { return !at.Before(o.Deleted.Truncate(time.Second)) }))
		}
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(l.state, adminapi.SocketName))
	}}
	defer transport.CloseIdleConnections()
	own := caller{base: "http://gateway", client: &http.Client{Transport: transport}}
	own.want(l.t, http.StatusOK, http.MethodPost, adminapi.TrashEmptyPath,
		fmt.Appendf(nil, `{"destination":%q,"repository":%q,"before":%q}`, l.dest, mailRepo, before.UTC().Format(time.RFC3339)))
	for _, life := range l.snapshots {
		life.purged = life.purged || life.deleted > 0 && life.deleted <= step
	}
}

// path is that of a kind of object.
func (l *lived) path(kind string) string { return "/" + l.dest + "/" + mailRepo + "/" + kind + "/" }

func (l *lived) listed(dir string) map[string]int64 { return listed(l.t, l.g, dir) }

// check holds the repository, and a view of it, against the model and restic's check.
func (l *lived) check(random *rand.Rand) {
	l.t.Helper()
	same := func(what, dir string, want []string) {
		l.t.Helper()
		if got := slices.Sorted(maps.Keys(l.listed(dir))); !slices.Equal(got, want) {
			l.t.Fatalf("%s has the snapshots %v; want %v", what, got, want)
		}
	}
	same("the repository", l.path("snapshots"), l.there())
	l.module.run(l.t, "check")
	step := random.IntN(len(l.moments))
	view := past.Name("/"+l.dest+"/"+mailRepo, l.moments[step])
	if step < l.horizon {
		answer := l.g.module("mail1").want(l.t, http.StatusForbidden, http.MethodGet, view+"/config", nil)
		if !bytes.Contains(answer.body, []byte("earliest")) {
			l.t.Errorf("before the horizon: %s", answer.body)
		}
		return
	}
	same(fmt.Sprintf("the view after step %d", step), view+"/snapshots/", l.at(step))
	pastOf(l.t, l.module, l.moments[step]).run(l.t, "check", "--read-data")
}
