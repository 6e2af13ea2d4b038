package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/repotest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// undoKinds are the kinds of storage that attacks are undone on.
var undoKinds = []struct {
	name  string
	start func(t *testing.T) *storageServer // nil: a directory
	// dest is the destination, in a bucket of its own where that is versioned.
	versioned bool
	tiny      int // snapshots that hold nothing
}{
	{name: "local disk", tiny: 200},
	{name: "MinIO", start: startMinIO, tiny: 200},
	{name: "MinIO with versions", start: startMinIO, versioned: true, tiny: 100},
	{name: "OpenSSH", start: startSSH, tiny: 100},
	{name: "Azurite, which only copies", start: startAzurite, tiny: 100},
}

// TestAttacksAreUndone poisons a repository with a module's password, and the password
// of the repository, as far as the gateway has to take it. One rollback makes restic work
// as the module again; a second one, to the time of the poison, is undone by a third.
func TestAttacksAreUndone(t *testing.T) {
	t.Parallel()
	for _, kind := range undoKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			c, dest := newCluster(t), localDest
			var s *storageServer
			if kind.start != nil {
				s, dest = kind.start(t), moreDest
				c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
			}
			if kind.versioned {
				adminOf(s).versionedBucket(t, "backups")
			}
			c.Do("HSET", catalog.LimitsKey(dest), catalog.FieldModuleSnapshots, "1000000", catalog.FieldModuleIndexes, "1000000")
			var g *served
			if s == nil {
				g = c.serve(t)
			} else {
				g = s.gateway(t, c)
			}
			a := &attacked{g: g, dest: dest, repo: mailRepo, base: "/" + dest + "/" + mailRepo}
			a.prepare(t)
			a.refused(t)
			good := nextSecond(t)
			a.poison(t, kind.tiny)
			poisoned := nextSecond(t)
			a.rollback(t, good)
			a.wantWell(t)
			a.rollback(t, poisoned)
			a.wantIll(t)
			if s == nil {
				a.flood(t, filepath.Join(c.dir, a.repo), 10_000)
			}
			a.rollback(t, good)
			a.wantWell(t)
			if s == nil {
				a.wantWellElsewhere(t, c.dir)
			}
		})
	}
}

// nextSecond returns now, and waits until that second is over for the clocks of storages
// that tell whole seconds.
func nextSecond(t *testing.T) time.Time {
	t.Helper()
	now := time.Now()
	waitFor(t, "another second", func() bool { return time.Now().Unix() > now.Unix()+1 })
	return now
}

// attacked is a repository under attack.
type attacked struct {
	g                *served
	dest, repo, base string
	tree             string
	module, node     restic
	key              repotest.MasterKey
	blobs            []string // of the repository
}

// prepare makes the repository, and two backups.
func (a *attacked) prepare(t *testing.T) {
	t.Helper()
	a.module = newRestic(t, "RESTIC_0_18", a.g.url+"/"+a.dest, a.repo, moduleOf(a.repo))
	a.node = newRestic(t, "RESTIC_0_18", a.g.url+"/"+a.dest, a.repo, "node/1")
	a.tree = makeTree(t)
	a.module.seed(t, 2)
	a.module.run(t, "backup", a.tree)
	changeTree(t, a.tree)
	a.module.run(t, "backup", a.tree)
	if err := json.Unmarshal([]byte(a.module.run(t, "cat", "masterkey")), &a.key); err != nil {
		t.Fatal(err)
	}
	a.blobs = strings.Fields(a.module.run(t, "list", "blobs"))
}

// save sends a file as the module, which has to be taken.
func (a *attacked) save(t *testing.T, kind string, content []byte) {
	t.Helper()
	callerOf(a.g.url, moduleOf(a.repo)).want(t, http.StatusOK, http.MethodPost, a.base+"/"+kind+"/"+nameOf(content), content)
}

// refused sends what a gateway does not take: nothing needs to be undone.
func (a *attacked) refused(t *testing.T) {
	t.Helper()
	attack(t, callerOf(a.g.url, moduleOf(a.repo)), a.base, false)
	a.wantWell(t)
}

// poison sends what a gateway has to take.
func (a *attacked) poison(t *testing.T, tiny int) {
	t.Helper()
	for _, kind := range []string{"index", "snapshots", "locks", "data"} {
		for _, size := range []int{34, 300, 40_000} {
			content, _ := blob(size)
			a.save(t, kind, content)
		}
	}
	sealed := func(kind string, content any) {
		plain, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		a.save(t, kind, a.key.Seal(t, plain))
	}
	now := time.Now()
	sealed("locks", map[string]any{"time": now, "exclusive": true, "hostname": "a host that is dead", "username": "root", "pid": 4711})
	absent := strings.Repeat("0123456789abcdef", 4)
	sealed("index", map[string]any{"packs": []any{map[string]any{"id": absent, "blobs": lyingBlobs(a.blobs)}}})
	sealed("snapshots", map[string]any{"time": now, "tree": absent, "paths": []string{"/srv"}, "hostname": "mail1", "username": "root"})
	a.tiny(t, tiny)
	a.wantIll(t)
}

// lyingBlobs says of the blobs of a repository that all of them lie at the beginning of
// one pack.
func lyingBlobs(list []string) (blobs []any) {
	for pair := range strings.SplitSeq(strings.Join(list, " "), "data ") {
		for id := range strings.FieldsSeq(pair) {
			if len(id) == 64 {
				blobs = append(blobs, map[string]any{"id": id, "type": "data", "offset": 0, "length": 100})
			}
		}
	}
	return blobs
}

// tinySnapshots are so many that are whole, and hold next to nothing.
func (a *attacked) tinySnapshots(t *testing.T, n int) [][]byte {
	t.Helper()
	contents := make([][]byte, n)
	for i := range contents {
		plain := fmt.Appendf(nil, `{"time":%q,"tree":%q,"paths":["/srv"],"hostname":"mail1","username":"root"}`,
			time.Now().AddDate(0, 0, i%3000).Format(time.RFC3339Nano), strings.Repeat("ab", 32))
		contents[i] = a.key.Seal(t, plain)
	}
	return contents
}

// flood puts so many tiny snapshots into the directory of a repository: that a gateway takes
// them was shown with fewer.
func (a *attacked) flood(t *testing.T, repository string, n int) {
	t.Helper()
	for _, content := range a.tinySnapshots(t, n) {
		writeFile(t, filepath.Join(repository, "snapshots", nameOf(content)), content)
	}
}

// tiny saves so many tiny snapshots.
func (a *attacked) tiny(t *testing.T, n int) {
	t.Helper()
	user := callerOf(a.g.url, moduleOf(a.repo))
	saves, ctx := errgroup.WithContext(t.Context())
	saves.SetLimit(16)
	for _, content := range a.tinySnapshots(t, n) {
		saves.Go(func() error {
			answer, err := user.do(ctx, http.MethodPost, a.base+"/snapshots/"+nameOf(content), bytes.NewReader(content))
			if err == nil && answer.status != http.StatusOK {
				err = fmt.Errorf("%d: %.200s", answer.status, answer.body)
			}
			return err
		})
	}
	if err := saves.Wait(); err != nil {
		t.Fatal(err)
	}
}

// rollback makes the repository what it was, and lets the module in again.
func (a *attacked) rollback(t *testing.T, to time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	body := fmt.Appendf(nil, `{"destination":%q,"repository":%q,"to":%q}`, a.dest, a.repo, to.UTC().Format(time.RFC3339))
	answer, err := callerOf(a.g.url, "node/1").do(ctx, http.MethodPost, adminapi.RollbackPath, bytes.NewReader(body))
	if err != nil || answer.status != http.StatusOK {
		t.Fatalf("rollback to %v: %+v, %v", to, answer, err)
	}
	body = fmt.Appendf(nil, `{"destination":%q,"repository":%q}`, a.dest, a.repo)
	answer, err = callerOf(a.g.url, "node/1").do(ctx, http.MethodPost, adminapi.ThawPath, bytes.NewReader(body))
	if err != nil || answer.status != http.StatusOK {
		t.Fatalf("thaw: %+v, %v", answer, err)
	}
}

// wantWell restores as the module, without any help.
func (a *attacked) wantWell(t *testing.T) {
	t.Helper()
	a.module.cache = t.TempDir() // a new one each time: nothing is known from before
	if got := strings.Count(a.module.run(t, "snapshots", "--json"), `"short_id"`); got != 2 {
		t.Errorf("there are %d snapshots; want 2", got)
	}
	a.module.run(t, "check", "--read-data")
	a.module.wantRestored(t, a.tree)
}

// wantIll wants restic to stop at the poison. It takes no lock: restic tries for half a minute
// to read each that is garbage.
func (a *attacked) wantIll(t *testing.T) {
	t.Helper()
	a.module.cache = t.TempDir()
	for _, args := range [][]string{{"check", "--no-lock"}, {"restore", "latest", "--no-lock", "--target", t.TempDir()}} {
		out, err := a.module.command(t, args...).CombinedOutput()
		if _, exited := errors.AsType[*exec.ExitError](err); !exited {
			t.Errorf("restic %s does not mind the poison: %v\n%s", args[0], err, out)
		}
	}
}

// wantWellElsewhere looks at the directory by other programs: what the gateway keeps
// there disturbs none of them, and they do it no harm.
func (a *attacked) wantWellElsewhere(t *testing.T, dir string) {
	t.Helper()
	before := filesBelow(t, filepath.Join(dir, "rclone-gateway-trash"))
	plain := restic{program(t, "RESTIC_0_14"), filepath.Join(dir, a.repo), t.TempDir()}
	for name, client := range map[string]restic{
		"plain restic":        plain,
		"rclone serve restic": newRestic(t, "RESTIC_0_18", startRcloneRestic(t, dir), a.repo, ""),
		"rest-server":         newRestic(t, "RESTIC_0_14", startRestServer(t, dir), a.repo, ""),
	} {
		client.run(t, "check", "--read-data")
		client.wantRestored(t, a.tree)
		client.run(t, "backup", a.tree)
		client.run(t, "forget", "--keep-last", "2", "--prune")
		after := filesBelow(t, filepath.Join(dir, "rclone-gateway-trash")) // the gateway may have added to it
		slices.Sort(after)
		for _, file := range before {
			if _, kept := slices.BinarySearch(after, file); !kept {
				t.Errorf("%s: the trash lost %s", name, file)
			}
		}
	}
	a.module.cache = t.TempDir()
	a.module.run(t, "check", "--read-data")
	a.module.wantRestored(t, a.tree)
}

// startRcloneRestic serves a directory with rclone, and returns where.
func startRcloneRestic(t *testing.T, dir string) (url string) {
	t.Helper()
	rclone, address := program(t, "RCLONE"), testenv.FreeAddr(t)
	startServer(t, address, exec.Command(rclone, "serve", "restic", "--config", "", "--addr", address, dir))
	return "http://" + address
}

// startRestServer serves a directory with rest-server, and returns where.
func startRestServer(t *testing.T, dir string) (url string) {
	t.Helper()
	address := testenv.FreeAddr(t)
	startServer(t, address, exec.Command(serverProgram(t, "bin/rest-server"), "--no-auth", "--listen", address, "--path", dir))
	return "http://" + address
}

// startServer runs a server until the end of the test.
func startServer(t *testing.T, address string, cmd *exec.Cmd) {
	t.Helper()
	process := startProcess(t, cmd)
	waitFor(t, cmd.Path+" to listen", func() bool {
		select {
		case <-process.exited:
			t.Fatalf("%s has ended:\n%s", cmd.Path, strings.Join(process.out.all(), "\n"))
		default:
		}
		response, err := http.Get("http://" + address + "/")
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil
	})
}

// versionedBucket makes a bucket that keeps versions.
func (a s3Admin) versionedBucket(t *testing.T, name string) {
	t.Helper()
	if _, err := a.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	_, err := a.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// keyThatKeepsVersions makes a key that may do all but delete versions.
func (a s3Admin) keyThatKeepsVersions(t *testing.T, bucket string) (section map[string]string) {
	t.Helper()
	return a.key(t, bucket, `"s3:GetObject","s3:PutObject","s3:DeleteObject","s3:ListBucket","s3:GetBucketLocation","s3:GetBucketVersioning","s3:ListBucketVersions"`)
}

// deleteWith deletes an object, and all of its versions as far as that is allowed, with a
// key of the storage.
func (a s3Admin) deleteWith(t *testing.T, section map[string]string, bucket, key string) {
	t.Helper()
	thief := s3.New(a.Options(), func(o *s3.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID: section["access_key_id"], SecretAccessKey: section["secret_access_key"], SessionToken: section["session_token"],
			}, nil
		})
	})
	if _, err := thief.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
		t.Fatal(err)
	}
	list, err := thief.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &key})
	if err != nil || len(list.Versions) == 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, version := range list.Versions {
		if _, err := thief.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key, VersionId: version.VersionId}); err == nil {
			t.Error("the key deletes a version")
		}
	}
}

// bringBack removes the delete markers of an object.
func (a s3Admin) bringBack(t *testing.T, bucket, key string) {
	t.Helper()
	list, err := a.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &key})
	if err != nil {
		t.Fatal(err)
	}
	for _, marker := range list.DeleteMarkers {
		if _, err := a.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key, VersionId: marker.VersionId}); err != nil {
			t.Fatal(err)
		}
	}
}
