package integration

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// TestTheNodeThatReachesItServesTheOthers: a bucket that one node alone reaches, and a disk
// that two nodes have and a third has not, though it has another at the same path.
func TestTheNodeThatReachesItServesTheOthers(t *testing.T) {
	t.Parallel()
	w := newNodes(t)
	shared, others := t.TempDir(), t.TempDir()
	w.one.run(t, "mount", "--bind", shared, w.disk)
	w.two.run(t, "mount", "--bind", others, w.disk)
	w.three.run(t, "mount", "--bind", shared, w.disk)

	t.Run("a bucket", func(t *testing.T) {
		// The address is another host on each node, of which node 3 alone has one.
		const address = "127.0.0.1:9000"
		startProcess(t, w.three.moved(t, minio(t)(address)))
		server := caller{base: "http://" + address, client: w.three.client()}
		waitFor(t, "MinIO to answer", func() bool {
			answer, err := server.do(t.Context(), http.MethodGet, "/minio/health/live", http.NoBody)
			return err == nil && answer.status == http.StatusOK
		})
		w.leader.AddDestinations(redistest.Destination{
			ID: inBucket, Name: "S3", Provider: "generic-s3", URL: "s3:" + address + "/backups",
			RcloneConf: fmt.Sprintf("[%s]\ntype = s3\nprovider = Minio\nendpoint = http://%s\naccess_key_id = %s\nsecret_access_key = %s\n",
				inBucket, address, s3AccessKey, storageSecret),
		})
		path := "/" + inBucket + "/" + mailRepo + "/config"
		// The bucket is made; nodes 1 and 2 have still to find out that they do not reach it.
		w.three.as("module/mail1").within(t, patience, http.StatusOK, http.MethodPost, "/"+inBucket+"/"+mailRepo+"/?create=true")
		module := w.two.as("module/mail1")
		module.within(t, patience, http.StatusNotFound, http.MethodHead, path)
		for i, version := range []string{"RESTIC_0_14", "RESTIC_0_18"} {
			user, repo := "module/mail1", mailRepo
			if i > 0 {
				user, repo = "module/wiki7", wikiRepo
			}
			client := w.two.restic(t, version, inBucket, repo, user)
			client.seed(t, 2)
			client.begin(t, storageTree(t, 1<<20)).wantGood(t)
			client.run(t, "check", "--read-data")
		}
		wantBackend(t, module.want(t, http.StatusOK, http.MethodHead, path, nil), "3")
		wantBackend(t, w.three.as("module/mail1").want(t, http.StatusOK, http.MethodHead, path, nil), "3")
	})

	t.Run("a disk", func(t *testing.T) {
		path := "/" + onDisk + "/" + wikiRepo
		for _, node := range []*clusterNode{w.one, w.two} {
			node.as("node/"+node.id).want(t, http.StatusOK, http.MethodPost, "/"+onDisk+"/"+mailRepo+"/?create=true", nil)
		}
		client := w.three.restic(t, "RESTIC_0_18", onDisk, wikiRepo, "module/wiki7")
		client.seed(t, 2)
		client.begin(t, storageTree(t, 1<<20)).wantGood(t)
		module := w.three.as("module/wiki7")
		wantBackend(t, module.want(t, http.StatusOK, http.MethodHead, path+"/config", nil), "3")

		w.three.run(t, "umount", "--lazy", w.disk)
		module.within(t, patience, http.StatusOK, http.MethodHead, path+"/config")
		client.begin(t, storageTree(t, 1<<20)).wantGood(t)
		client.run(t, "check", "--read-data")
		wantBackend(t, module.want(t, http.StatusOK, http.MethodHead, path+"/config", nil), "1")

		// Node 2 is there, and has another disk.
		w.vpn.cut(w.one.ip, w.three.ip)
		module.within(t, patience, http.StatusServiceUnavailable, http.MethodHead, path+"/config")
		if fileExists(filepath.Join(others, wikiRepo)) {
			t.Error("another disk got what is not its own")
		}
		w.vpn.heal(w.one.ip, w.three.ip)
		w.three.run(t, "mount", "--bind", shared, w.disk)
		waitFor(t, "node 3 to serve its own disk again", func() bool {
			answer := module.call(t, http.MethodHead, path+"/config", nil)
			return answer.status == http.StatusOK && answer.header.Get("X-Backend") == "backend@node3"
		})
	})
}

// wantBackend wants an answer to come from a node.
func wantBackend(t *testing.T, answer *reply, node string) {
	t.Helper()
	for _, name := range []string{"X-Backend", "X-HAProxy-Backend"} {
		if got := answer.header.Get(name); got != "backend@node"+node {
			t.Errorf("%s is %q, want node %s", name, got, node)
		}
	}
}

// TestNodesOverIPv6 backs up and restores through a hop to the disk of a node that the
// cluster knows by an IPv6 address.
func TestNodesOverIPv6(t *testing.T) {
	t.Parallel()
	w := newNodesOf(t, "fd00:5:4::", "/64")
	tree := storageTree(t, 1<<20)
	client := w.one.restic(t, "RESTIC_0_18", onNode2, mailRepo, "module/mail1")
	client.seed(t, 2)
	client.run(t, "backup", tree)
	client.run(t, "check", "--read-data")
	target := t.TempDir()
	client.run(t, "restore", "latest", "--target", target)
	wantSameTree(t, tree, filepath.Join(target, tree))
	answer := w.one.as("module/mail1").want(t, http.StatusOK, http.MethodHead, "/"+onNode2+"/"+mailRepo+"/config", nil)
	if got := answer.header.Get("X-Haproxy-Backend"); got != "backend@node2" {
		t.Errorf("X-HAProxy-Backend is %q", got)
	}
}
