package coverage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

const (
	bucket = "5d5bfa40-4dd1-4b8e-9cf0-6f5cc2b6d1aa"
	disk   = "76d73f29-7446-5baf-a700-3ad39be75475"
)

func module(id, node string, own ...string) *catalog.Principal {
	return &catalog.Principal{Name: "module/" + id, Role: catalog.RoleModule, ID: id, Node: node, Own: own}
}

// viewOf is a view in which every destination is the store.
func viewOf(store storage.Store, schedules []catalog.Schedule, modules ...*catalog.Principal) *live.View {
	snapshot := &catalog.Snapshot{
		Destinations: map[string]*catalog.Destination{
			bucket: {ID: bucket, Type: "s3"},
			disk:   {ID: disk, Type: live.TypeLocal, Provider: catalog.ProviderCluster},
		},
		Principals: map[string]*catalog.Principal{},
		Schedules:  schedules,
	}
	for _, m := range modules {
		snapshot.Principals[m.Name] = m
	}
	v, _ := live.NewView(nil, snapshot, func(context.Context, *catalog.Destination) (storage.Store, io.Closer, error) {
		if store == nil {
			return nil, nil, errors.New("the storage is away")
		}
		return store, nil, nil
	}, nil, slog.New(slog.DiscardHandler))
	return v
}

func save(t *testing.T, store storage.Store, name string) {
	t.Helper()
	if err := store.Put(t.Context(), name, 1, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
}

func wantStatus(t *testing.T, c *Coverage, want ...Status) {
	t.Helper()
	got := c.Status()
	if len(got) != len(want) {
		t.Fatalf("%+v; want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v; want %+v", got[i], want[i])
		}
	}
}

// TestAModuleWhoseTimerNeverRanIsSeen has modules with a backup, with a repository alone
// and with nothing at all.
func TestAModuleWhoseTimerNeverRanIsSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := storetest.NewMem()
		save(t, store, "mail/1/snapshots/aa")
		save(t, store, "wiki/2/config")
		// By the name of its image this one is "nextcloud".
		save(t, store, "nextcloud/4/snapshots/aa")
		v := viewOf(store, []catalog.Schedule{{ID: "1", Destination: bucket, Modules: []string{"mail1", "wiki1", "web1", "cloud1", "gone1"}}},
			module("mail1", "1", "mail/1"), module("wiki1", "1", "wiki/2"), module("web1", "1", "web/3"), module("cloud1", "1", "cloud/4", "nextcloud/4"))
		var log bytes.Buffer
		c := New("1", func() *live.View { return v }, slog.New(slog.NewTextHandler(&log, nil)))
		wantStatus(t, c, Status{Schedule: "1", Destination: bucket, Unknown: 4})

		ctx, stop := context.WithCancel(t.Context())
		go c.Run(ctx)
		time.Sleep(lookPause + time.Second)
		synctest.Wait()
		wantStatus(t, c, Status{Schedule: "1", Destination: bucket, Held: 2, None: 2})
		for _, name := range []string{"module/wiki1", "module/web1"} {
			if strings.Count(log.String(), "user="+name) != 1 {
				t.Errorf("%s is not named once: %s", name, log.String())
			}
		}

		// One is backed up through this gateway, the other one over another.
		c.Saved(bucket, "web/3")
		wantStatus(t, c, Status{Schedule: "1", Destination: bucket, Held: 3, None: 1})
		save(t, store, "wiki/2/snapshots/bb")
		time.Sleep(lookPause)
		synctest.Wait()
		wantStatus(t, c, Status{Schedule: "1", Destination: bucket, Held: 4})
		if lines := strings.Count(log.String(), "\n"); lines != 2 {
			t.Errorf("%d lines: %s", lines, log.String())
		}

		// What was seen is looked at again, after some hours.
		if err := store.Remove(t.Context(), "wiki/2/snapshots/bb"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(heldExpires + lookPause)
		synctest.Wait()
		wantStatus(t, c, Status{Schedule: "1", Destination: bucket, Held: 2, None: 2}) // web's was not there either
		stop()
	})
}

func TestEachNodeCaresForItsOwnModules(t *testing.T) {
	t.Parallel()
	schedules := []catalog.Schedule{{ID: "1", Destination: bucket, Modules: []string{"mail1", "mail2"}}, {ID: "2", Destination: disk, Modules: []string{"mail1", "mail2"}}}
	v := viewOf(storetest.NewMem(), schedules, module("mail1", "1", "mail/1"), module("mail2", "2", "mail/2"))
	for nodeID, want := range map[string]int{"1": 1, "2": 1, "3": 0, "": 2} {
		c := New(nodeID, func() *live.View { return v }, slog.New(slog.DiscardHandler))
		c.Look(t.Context())
		// The node with the disk is the only one to look at it.
		wantStatus(t, c, Status{Schedule: "1", Destination: bucket, None: want}, Status{Schedule: "2", Destination: disk, None: 2})
	}
}

// TestAStorageThatFailsProvesNothing is no reason for an alert that a module has no backup.
func TestAStorageThatFailsProvesNothing(t *testing.T) {
	t.Parallel()
	schedules := []catalog.Schedule{{ID: "1", Destination: bucket, Modules: []string{"mail1"}}, {ID: "2", Destination: "broken", Modules: []string{"mail1"}}, {ID: "3", Destination: "gone", Modules: []string{"mail1"}}}
	v := viewOf(nil, schedules, module("mail1", "1", "mail/1"))
	v.Snapshot.Broken = map[string]string{"broken": "its record cannot be read"}
	c := New("1", func() *live.View { return v }, slog.New(slog.DiscardHandler))
	for range 2 {
		c.Look(t.Context())
		wantStatus(t, c, Status{Schedule: "1", Destination: bucket, Unknown: 1}, Status{Schedule: "2", Destination: "broken", Unknown: 1})
	}
	faulty := storetest.NewFaulty(t, storetest.NewMem())
	faulty.Plan(storetest.List, storetest.Fail(errors.New("something else")))
	v = viewOf(faulty, schedules[:1], module("mail1", "1", "mail/1"))
	c.Look(t.Context())
	wantStatus(t, c, Status{Schedule: "1", Destination: bucket, Unknown: 1})
	var unread *live.View
	if got := New("1", func() *live.View { return unread }, slog.New(slog.DiscardHandler)).Status(); got != nil {
		t.Errorf("before Redis was read: %+v", got)
	}
}
