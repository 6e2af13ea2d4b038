package client

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// seedKeys are keys of all types, and what makes them.
var seedKeys = map[string][]any{
	"mykey":    {"hset", "colour", "blue"},
	"mystring": {"set", "bytes\x00\xff"},
	"mylist":   {"rpush", "x", "y", "x"},
	"myset":    {"sadd", 1, 2, 3}, // the order of words would be another one
	"myzset":   {"zadd", 1.5, "p", -2, "q"},
	"mystream": {"xadd", "1-1", "f", "v"},
}

// TestTheDocumentedExample follows the documentation of NethServer 8 on backup and
// restore to the letter: its files, as it prints them, where it puts them, with a
// key of each type. TestModuleLosesNothing has each version of restic in each way to run
// it.
func TestTheDocumentedExample(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ version, kind, install string }{
		{"0.18", "native", "home/mymodule1/.config"},
		{"0.14", "rootless", "home/mymodule1/.config"},
		{"0.18", "rootfull", "var/lib/nethserver/mymodule1"},
	} {
		t.Run("restic "+c.version+" "+c.kind, func(t *testing.T) {
			t.Parallel()
			world := newClientWorld(t)
			host := world.newHost(t, variant{c.version, c.kind}, savedModule)
			install := host.path(c.install)
			host.installSeed(t, install)
			key := "module/mymodule1/"
			want := map[string]string{}
			for name, args := range seedKeys {
				world.redis.Do(append([]any{args[0], key + name}, args[1:]...)...)
				dump, err := world.redis.Admin().Dump(t.Context(), key+name).Result()
				host.check(t, err)
				want[name] = dump
			}
			page, log := host.seedFile(t, "start"), host.seedFile(t, "my.log")
			host.backUp(t).succeed(t)
			if left, err := filepath.Glob(install + "/state/*.dump"); len(left) > 0 || err != nil {
				t.Errorf("%q are left, %v", left, err)
			}

			for name := range seedKeys {
				world.redis.Do("del", key+name)
			}
			host.check(t, os.Remove(page))
			host.check(t, os.Remove(log))
			got := host.request(t).succeed(t)
			if !strings.Contains(got.stderr, "module/mymodule1/mykey") {
				t.Errorf("it does not say where the key went: %s", got.stderr)
			}
			for name := range seedKeys {
				if dump, err := world.redis.Admin().Dump(t.Context(), key+name).Result(); dump != want[name] || err != nil {
					t.Errorf("key %s holds %q, %v; want %q", name, dump, err, want[name])
				}
			}
			if text, err := os.ReadFile(page); string(text) != "content of start" {
				t.Errorf("the page is %q, %v", text, err)
			}
			if _, err := os.Stat(log); err == nil {
				t.Error("what state-exclude.conf names came back")
			}
		})
	}
}

// installSeed makes the module's files below install, and has the host find them
// there alone.
func (h *clientHost) installSeed(t *testing.T, install string) {
	t.Helper()
	state := filepath.Join(install, "state")
	h.env = append(h.env, "AGENT_INSTALL_DIR="+install, "AGENT_STATE_DIR="+state,
		"PATH="+filepath.Join(install, "bin")+":"+h.path("bin")+":"+os.Getenv("PATH"))
	var dump, clean, include, load strings.Builder
	for _, name := range slices.Sorted(maps.Keys(seedKeys)) {
		dump.WriteString("redis-dump module/mymodule1/" + name + " > " + name + ".dump\n")
		clean.WriteString("rm -f " + name + ".dump\n")
		include.WriteString("state/" + name + ".dump\n")
		load.WriteString("redis-restore mymodule1/" + name + " < " + name + ".dump\n")
	}
	for name, file := range map[string]struct {
		content string
		mode    fs.FileMode
	}{
		"bin/module-dump-state":            {"#!/bin/bash\n" + dump.String(), 0o755},
		"bin/module-cleanup-state":         {"#!/bin/bash\n" + clean.String(), 0o755},
		"etc/state-include.conf":           {include.String() + "volumes/dokuwiki-data\n", 0o644},
		"state-exclude.conf":               {"*.log\n", 0o644},
		"actions/restore-module/20loadkey": {"#!/bin/bash\n" + load.String(), 0o755},
		"state/environment":                {"IMAGE_URL=ghcr.io/nethserver/mymodule:1.0.0\n", 0o600},
	} {
		path := filepath.Join(install, name)
		h.check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		h.check(t, writeFile(path, []byte(file.content), file.mode))
	}
	h.check(t, os.RemoveAll(h.path("install")))
	h.give(t)
}

// seedFile makes a file in the volume dokuwiki-data.
func (h *clientHost) seedFile(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(h.path("home/mymodule1/.config"), "volumes/dokuwiki-data")
	if h.kind != "native" {
		dir = h.podmanVolume(t, "dokuwiki-data")
	}
	h.check(t, os.MkdirAll(dir, 0o755))
	file := filepath.Join(dir, name)
	h.check(t, os.WriteFile(file, []byte("content of "+name), 0o644))
	h.check(t, h.own(file))
	return file
}
