package rest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// aKey is a key as restic writes it, for that user.
func aKey(user string) string {
	return fmt.Sprintf(`{"created":"2026-11-29T20:00:00Z","username":%q,"hostname":"h","kdf":"scrypt","N":32768,"r":8,"p":5,"salt":%q,"data":%q}`,
		user, base64.StdEncoding.EncodeToString(make([]byte, 64)), base64.StdEncoding.EncodeToString(make([]byte, 170)))
}

// trash is what a repository's deleted objects are kept in.
type trash struct {
	holds bool
	err   error
}

func (t trash) Holds(context.Context, string) (bool, error) { return t.holds, t.err }

func TestModuleSavesTheFirstKeyAlone(t *testing.T) {
	t.Parallel()
	pack := nameOf("a pack")
	for _, tt := range []struct {
		about  string
		others []string
		trash  rest.Trash
		module int
	}{
		{about: "where there is nothing", module: 200},
		{about: "where a lock is left", others: []string{"locks/" + nameOf("a lock")}, module: 200},
		{about: "where that key is", others: []string{"keys/" + nameOf(aKey("module"))}, module: 200},
		{about: "beside another key", others: []string{"keys/" + nameOf("another")}, module: 403},
		{about: "beside the config", others: []string{"config"}, module: 403},
		{about: "beside an index", others: []string{"index/" + nameOf("an index")}, module: 403},
		{about: "beside a snapshot", others: []string{"snapshots/" + nameOf("a snapshot")}, module: 403},
		{about: "beside a pack", others: []string{"data/" + pack[:2] + "/" + pack}, module: 403},
		{about: "where something is in the trash", trash: trash{holds: true}, module: 403},
		{about: "where nothing is in the trash", trash: trash{}, module: 200},
		{about: "where the trash is not known", trash: trash{err: errors.New("connection refused")}, module: 502},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			for user, status := range map[string]int{"module": tt.module, "node": 200} {
				store := storetest.NewMem()
				for _, name := range tt.others {
					put(t, store, name, "content")
				}
				s := serve(t, store)
				s.trash, s.node = tt.trash, user == "node"
				key := aKey("module")
				s.run(t, []call{{about: user, method: "POST", path: "keys/" + nameOf(key), body: key, status: status}})
			}
		})
	}
}

func TestModuleSavesNoConfigOverWhatIsLeft(t *testing.T) {
	t.Parallel()
	for other, status := range map[string]int{
		"keys/" + nameOf("a key"):         200,
		"index/" + nameOf("an index"):     403,
		"snapshots/" + nameOf("a backup"): 403,
	} {
		s := serve(t, newStoreWith(t, other))
		s.run(t, []call{{about: "module, beside " + other, method: "POST", path: "config", body: sealed("config"), status: status}})
		s = serve(t, newStoreWith(t, other))
		s.node = true
		s.run(t, []call{{about: "node, beside " + other, method: "POST", path: "config", body: sealed("config"), status: 200}})
	}
}

func newStoreWith(t *testing.T, name string) *storetest.Mem {
	t.Helper()
	store := storetest.NewMem()
	put(t, store, name, "content")
	return store
}

// TestMigrationOpensNoWindow is what restic migrate upgrade_repo_v2 does to a repository
// without any snapshot, and what a module tries meanwhile.
func TestMigrationOpensNoWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key, forged := aKey("restic"), aKey("forged")
		store := newRepo(t, map[string]string{"keys/" + nameOf(key): key})
		h := rest.NewHandler()
		as := func(node bool, method string, typ object.Type, content string) int {
			target := rest.Target{Store: store, Destination: "d", Repo: repo, Type: typ, AddKey: node, ReplaceConfig: node}
			if typ != object.Config && typ != object.Root {
				target.Name = nameOf(content)
			}
			x := start(t, h, method, target, strings.NewReader(content), int64(len(content)))
			synctest.Wait()
			if x.err != nil {
				return statusOf(x.err)
			}
			return x.Code
		}
		attack := func(about string, want int) {
			t.Helper()
			for what, got := range map[string]int{
				"key":    as(false, "POST", object.Keys, forged),
				"config": as(false, "POST", object.Config, sealed("forged")),
			} {
				if got != want {
					t.Errorf("%s: a module's %s is %d, want %d", about, what, got, want)
				}
			}
			// It may be refused; what matters is what it does.
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", http.NoBody)
			_ = h.Serve(httptest.NewRecorder(), r, rest.Target{
				Store: store, Destination: "d", Repo: repo, Type: object.Root, Operation: operation.Create,
			})
			if _, there := stored(t, store, "keys/"+nameOf(key)); !there {
				t.Errorf("%s: create removed the key", about)
			}
		}
		attack("before", 403)
		if got := as(true, "DELETE", object.Config, ""); got != 200 {
			t.Fatalf("delete config: %d", got)
		}
		attack("without config", 403)
		time.Sleep(19 * time.Minute)
		attack("without config for as long as restic tries", 403)
		if got := as(true, "POST", object.Config, sealed("migrated")); got != 200 {
			t.Fatalf("save config: %d", got)
		}
		attack("after", 403)
	})
}

// TestOfManyFirstKeysOneIsSaved lets modules save keys and a config at once: a key
// never comes after the config.
func TestOfManyFirstKeysOneIsSaved(t *testing.T) {
	t.Parallel()
	s := serve(t, storetest.NewMem())
	var clients sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for i := range 16 {
		clients.Go(func() {
			key := aKey(fmt.Sprint("user", i))
			resp, err := s.Client().Post(s.URL+base+"keys/"+nameOf(key), "", strings.NewReader(key))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			count[resp.StatusCode]++
		})
	}
	clients.Wait()
	if count[200] != 1 || count[403] != 15 {
		t.Errorf("statuses: %v", count)
	}
}

// TestFormIsWhatEverybodyKeeps sends what stops restic, as a module and as a node, by
// restic's protocol and by WebDAV.
func TestFormIsWhatEverybodyKeeps(t *testing.T) {
	t.Parallel()
	absurd := strings.Replace(aKey("u"), `"N":32768`, `"N":1073741824`, 1)
	for _, node := range []bool{false, true} {
		for _, method := range []string{"POST", "PUT"} {
			store := storetest.NewMem()
			s := serve(t, store)
			s.node = node
			for path, body := range map[string]string{
				"keys/" + nameOf("garbage"):        "garbage",
				"keys/" + nameOf(absurd):           absurd,
				"index/" + nameOf("short"):         "short",
				"snapshots/" + nameOf("short"):     "short",
				"locks/" + nameOf("short"):         "short",
				"locks/" + nameOf(sealed("")[:32]): sealed("")[:32],
				"config":                           "short",
			} {
				s.run(t, []call{{about: fmt.Sprintf("node %v", node), method: method, path: path, body: body, status: 400}})
				if _, there := stored(t, store, path); there {
					t.Errorf("%s was stored", path)
				}
			}
		}
	}
}
