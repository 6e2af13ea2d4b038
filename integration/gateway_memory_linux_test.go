package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
)

// memory is what /proc says of the gateway's memory under a key, such as VmHWM, in KiB.
func (d *daemon) memory(t *testing.T, key string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(string(status), key+":")
	kib, err := strconv.Atoi(strings.Fields(value)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib
}

// forgetPeak makes VmHWM begin again at what the gateway has now.
func (d *daemon) forgetPeak(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", d.cmd.Process.Pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// TestMemoryOfAStartOfUploadsAndAtRest has what docs/performance.md says, and a little more:
// pages of the program's file are mapped in pieces that the kernel chooses.
func TestMemoryOfAStartOfUploadsAndAtRest(t *testing.T) {
	t.Parallel()
	const uploads, peak, rest = 64, 44 << 10, 20 << 10
	c := newCluster(t)
	d := c.start(t)
	var all []*upload
	for range uploads {
		all = append(all, d.beginUpload(t, c))
	}
	for _, u := range all {
		if got := u.finish(t); got != http.StatusOK {
			t.Errorf("an upload ended with %d", got)
		}
	}
	if kib := d.memory(t, "VmHWM"); kib > peak {
		t.Errorf("with its start and %d uploads at once it had %d KiB, want no more than %d", uploads, kib, peak)
	}
	t.Logf("peak with %d uploads: %d KiB", uploads, d.memory(t, "VmHWM"))
	waitFor(t, "an idle gateway to have little memory", func() bool { return d.memory(t, "VmRSS") < rest })
}

// TestMemoryOfUploadsToS3 uploads what the test above does, to MinIO.
func TestMemoryOfUploadsToS3(t *testing.T) {
	t.Parallel()
	const uploads, peak = 64, 66 << 10
	s := startMinIO(t)
	c := newCluster(t)
	c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
	d := c.start(t)
	d.module("mail1").want(t, http.StatusOK, http.MethodPost, "/"+moreDest+"/"+mailRepo+"/?create=true", nil) // and the bucket
	var all []*upload
	for range uploads {
		all = append(all, d.halfUpload(t, moreDest))
	}
	for _, u := range all {
		if got := u.finish(t); got != http.StatusOK {
			t.Errorf("an upload ended with %d", got)
		}
	}
	kib := d.memory(t, "VmHWM")
	if kib > peak {
		t.Errorf("with its start and %d uploads at once it had %d KiB, want no more than %d", uploads, kib, peak)
	}
	t.Logf("peak with %d uploads: %d KiB", uploads, kib)
}

// TestMemoryOfListsDoesNotGrowWithThem lists objects that are the same few files.
func TestMemoryOfListsDoesNotGrowWithThem(t *testing.T) {
	t.Parallel()
	const few, many, at8, more = 20_000, 200_000, 64 << 10, 6 << 10 // KiB
	c := newCluster(t)
	makeLinks(t, filepath.Join(c.dir, mailRepo), few)
	makeLinks(t, filepath.Join(c.dir, wikiRepo), many)
	d := c.start(t)
	list := func(module, repo string, want int) {
		got, err := d.module(module).do(t.Context(), http.MethodGet, "/"+localDest+"/"+repo+"/data/", nil, "Accept", rest.MediaTypeV2)
		if err != nil {
			t.Error(err)
		} else if n := strings.Count(string(got.body), `"size"`); n != want {
			t.Errorf("%d: a list of %d objects, want %d", got.status, n, want)
		}
	}
	list("mail1", mailRepo, few) // what is made once
	d.forgetPeak(t)
	list("mail1", mailRepo, few)
	short := d.memory(t, "VmHWM")
	list("wiki7", wikiRepo, many)
	if long := d.memory(t, "VmHWM"); long > short+more {
		t.Errorf("a list of %d objects took %d KiB, and one of %d took %d", few, short, many, long)
	}
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() { list("mail1", mailRepo, few) })
	}
	running.Wait()
	if kib := d.memory(t, "VmHWM"); kib > at8 {
		t.Errorf("8 lists at once took %d KiB, want no more than %d", kib, at8)
	}
	t.Logf("peaks: %d KiB of %d objects, %d KiB in all", short, few, d.memory(t, "VmHWM"))
}

// makeLinks makes a repository of n objects that are the same few files, which takes less
// time than to make each.
func makeLinks(t *testing.T, dir string, n int) {
	t.Helper()
	const ofAFile = 60_000 // file systems allow a little more
	for shard := range 256 {
		if err := os.MkdirAll(filepath.Join(dir, "data", fmt.Sprintf("%02x", shard)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := ""
	for i := range n {
		if i%ofAFile == 0 {
			file = filepath.Join(dir, fmt.Sprintf("file%d", i))
			writeObject(t, file)
		}
		shard := fmt.Sprintf("%02x", i%256)
		if err := os.Link(file, filepath.Join(dir, "data", shard, fmt.Sprintf("%s%062x", shard, i))); err != nil {
			t.Fatal(err)
		}
	}
	writeObject(t, filepath.Join(dir, "config"))
}

func writeObject(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(name, aConfig, 0o600); err != nil {
		t.Fatal(err)
	}
}
