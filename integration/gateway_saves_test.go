package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// resticKey is a key that no password opens, with those parameters.
func resticKey(user string, n, r, p, salt, data int) []byte {
	return fmt.Appendf(nil, `{"created":"2026-11-29T20:00:00Z","username":%q,"hostname":"h","kdf":"scrypt","N":%d,"r":%d,"p":%d,"salt":%q,"data":%q}`,
		user, n, r, p, base64.StdEncoding.EncodeToString(make([]byte, salt)), base64.StdEncoding.EncodeToString(make([]byte, data)))
}

// attacks are what a module's password alone could once do to stop every command of
// restic on its repository: files by the type that they are saved as.
var attacks = []struct {
	about, typ string
	files      [][]byte
	status     int
}{
	{"a key that is no JSON", "keys", [][]byte{[]byte("garbage")}, 400},
	{"a key of 128 GiB", "keys", [][]byte{resticKey("x", 1<<27, 8, 1, 64, 170)}, 400},
	{"a key of no parameters", "keys", [][]byte{resticKey("x", 0, 0, 0, 64, 170)}, 400},
	{"a key without salt", "keys", [][]byte{resticKey("x", 1<<15, 8, 1, 0, 170)}, 400},
	{"a key without data", "keys", [][]byte{resticKey("x", 1<<15, 8, 1, 64, 0)}, 400},
	{"thirty keys of restic's form", "keys", thirtyKeys(), 403},
	{"indexes shorter than their seal", "index", shortFiles(), 400},
	{"snapshots shorter than their seal", "snapshots", shortFiles(), 400},
	{"locks shorter than their seal", "locks", shortFiles(), 400},
}

// thirtyKeys are more than restic tries before it gives up.
func thirtyKeys() (keys [][]byte) {
	for i := range 30 {
		keys = append(keys, resticKey(fmt.Sprint("user", i), 1<<15, 8, 1, 64, 170))
	}
	return keys
}

func shortFiles() (files [][]byte) {
	for _, size := range []int{0, 1, 16, 31, 32, 33} {
		files = append(files, bytes.Repeat([]byte{'x'}, size))
	}
	return files
}

// attack saves all of that, as a module.
func attack(t *testing.T, module caller, base string, before bool) {
	t.Helper()
	for _, a := range attacks {
		for _, file := range a.files {
			status := a.status
			if before && status == http.StatusForbidden {
				continue // the first one may be saved
			}
			answer := module.want(t, status, http.MethodPost, base+"/"+a.typ+"/"+nameOf(file), file)
			if !strings.Contains(string(answer.body), "this is not what restic saves here") && !strings.Contains(string(answer.body), "and only a node adds keys") {
				t.Errorf("%s: the reason is not told: %s", a.about, answer.body)
			}
		}
	}
	for _, config := range [][]byte{nil, []byte("config"), make([]byte, 33), make([]byte, 2<<20)} {
		module.want(t, http.StatusBadRequest, http.MethodPost, base+"/config", config)
	}
}

// TestModuleCannotStopRestic sends the attacks before a repository is there, and after
// a backup. Then restic works as the module and as the node, with no help.
func TestModuleCannotStopRestic(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	for version, user := range map[string]string{"RESTIC_0_14": "module/wiki7", "RESTIC_0_18": "module/mail1"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			repo := map[string]string{"module/wiki7": wikiRepo, "module/mail1": mailRepo}[user]
			base := "/" + localDest + "/" + repo
			module := newRestic(t, version, g.url+"/"+localDest, repo, user)
			node := newRestic(t, version, g.url+"/"+localDest, repo, "node/1")
			tree := makeTree(t)

			attack(t, callerOf(g.url, user), base, true)
			module.seed(t, 2)
			module.run(t, "backup", tree)
			before := filesBelow(t, filepath.Join(c.dir, repo))
			attack(t, callerOf(g.url, user), base, false)
			if after := filesBelow(t, filepath.Join(c.dir, repo)); len(after) != len(before) {
				t.Errorf("%d files became %d", len(before), len(after))
			}

			g.log.want(t, `"status":400`, user, "a key that is no JSON of restic's")
			g.log.want(t, `"status":403`, user, "only nodes add keys to a repository that is there")
			wantKeyRefused(t, module)
			module.run(t, "snapshots")
			module.run(t, "backup", tree)
			module.wantRestored(t, tree)
			node.run(t, "unlock")
			wantKeyAdded(t, node)
			node.run(t, "forget", "--keep-last", "1", "--prune")
			node.run(t, "check", "--read-data")
			module.wantRestored(t, tree)
		})
	}
}

// wantKeyRefused tries to give the repository another password, as a module.
func wantKeyRefused(t *testing.T, module restic) {
	t.Helper()
	cmd := module.command(t, "key", "add", "--new-password-file", passwordFile(t))
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "403") {
		t.Errorf("a module's key add: %v: %s", err, out)
	}
}

// wantKeyAdded gives the repository another password, as a node.
func wantKeyAdded(t *testing.T, node restic) {
	t.Helper()
	node.run(t, "key", "add", "--new-password-file", passwordFile(t))
	if list := node.run(t, "key", "list", "--json"); strings.Count(list, `"userName"`) != 2 {
		t.Errorf("keys after key add: %s", list)
	}
}

func passwordFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(name, []byte("another password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestMigrationGivesModulesNoWindow saves keys and configs as a module, and asks for the
// repository to be made, while restic migrates it, which deletes the config for a moment.
func TestMigrationGivesModulesNoWindow(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	base := "/" + localDest + "/" + mailRepo
	module := newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, "module/mail1")
	node := newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, "node/1")
	module.seed(t, 1)
	keys := filesBelow(t, filepath.Join(c.dir, mailRepo, "keys"))

	stop, statuses := make(chan struct{}), make(chan int, 1<<16)
	var attackers sync.WaitGroup
	for i := range 3 {
		attackers.Go(func() {
			key := resticKey(fmt.Sprint("forger", i), 1<<15, 8, 1, 64, 170)
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, _ = g.module("mail1").do(t.Context(), http.MethodPost, base+"/?create=true", http.NoBody)
				for path, body := range map[string][]byte{"/keys/" + nameOf(key): key, "/config": otherConfig} {
					answer, err := g.module("mail1").do(t.Context(), http.MethodPost, base+path, bytes.NewReader(body))
					if err == nil {
						select {
						case statuses <- answer.status:
						default:
						}
					}
				}
			}
		})
	}
	node.run(t, "migrate", "upgrade_repo_v2")
	close(stop)
	attackers.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	if len(count) != 1 || count[http.StatusForbidden] == 0 {
		t.Errorf("statuses of a module during a migration: %v", count)
	}
	if now := filesBelow(t, filepath.Join(c.dir, mailRepo, "keys")); len(now) != 1 || now[0] != keys[0] {
		t.Errorf("keys %v became %v", keys, now)
	}
	var config struct{ Version int }
	if err := json.Unmarshal([]byte(node.run(t, "cat", "config")), &config); err != nil || config.Version != 2 {
		t.Errorf("the config after a migration: %+v, %v", config, err)
	}
	tree := makeTree(t)
	module.run(t, "backup", tree)
	module.wantRestored(t, tree)
}

// TestModuleThatSavesTooMuchIsHeldUp sets limits far below their defaults.
func TestModuleThatSavesTooMuchIsHeldUp(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Do("HSET", catalog.LimitsKey(localDest), catalog.FieldModuleSnapshots, "3", catalog.FieldModuleIndexes, "3", catalog.FieldModuleLocks, "3")
	g := c.serve(t)
	base := "/" + localDest + "/" + mailRepo
	for _, typ := range []string{"snapshots", "index", "locks"} {
		save := func(who caller, status int) *reply {
			t.Helper()
			content, name := blob(200)
			return who.want(t, status, http.MethodPost, base+"/"+typ+"/"+name, content)
		}
		for range 3 {
			save(g.module("mail1"), http.StatusOK)
		}
		if refused := save(g.module("mail1"), http.StatusTooManyRequests); refused.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After: %v", typ, refused.header)
		}
		for range 5 {
			save(g.node(), http.StatusOK)
		}
	}
	g.log.want(t, `"status":429`, "snapshots of one user in an hour")
	metrics := g.node().want(t, http.StatusOK, http.MethodGet, "/metrics", nil, "Accept", "text/plain")
	if !strings.Contains(string(metrics.body), `rclone_gateway_uploads_refused_total{reason="rate"} 3`) {
		t.Error("the refusals are not counted")
	}
}
