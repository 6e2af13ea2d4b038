package client

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheDocumentedExample follows the documentation of NethServer 8 on backup and
// restore to the letter: its files, as it prints them, where it puts them.
func TestTheDocumentedExample(t *testing.T) {
	for _, version := range []string{"0.14", "0.18"} {
		t.Run("restic "+version, func(t *testing.T) {
			world := newClientWorld(t)
			host := world.newHost(t, version, "native", savedModule)
			// A rootless module's directories: /home/mymodule1/.config.
			install := host.path("home/mymodule1/.config")
			state := filepath.Join(install, "state")
			host.env = append(host.env, "AGENT_INSTALL_DIR="+install, "AGENT_STATE_DIR="+state,
				"PATH="+filepath.Join(install, "bin")+":"+host.path("bin")+":"+os.Getenv("PATH"))
			for name, file := range map[string]struct {
				content string
				mode    os.FileMode
			}{
				"bin/module-dump-state":              {"#!/bin/bash\nredis-dump module/mymodule1/mykey > mykey.dump\n", 0o755},
				"bin/module-cleanup-state":           {"#!/bin/bash\nrm -f mykey.dump\n", 0o755},
				"etc/state-include.conf":             {"state/mykey.dump\nvolumes/dokuwiki-data\n", 0o644},
				"state-exclude.conf":                 {"*.log\n", 0o644},
				"actions/restore-module/20loadkey":   {"#!/bin/bash\nredis-restore mymodule1/mykey < mykey.dump\n", 0o755},
				"state/environment":                  {"IMAGE_URL=ghcr.io/nethserver/mymodule:1.0.0\n", 0o600},
				"volumes/dokuwiki-data/pages/start":  {"= Welcome =", 0o644},
				"volumes/dokuwiki-data/pages/my.log": {"noise", 0o644},
			} {
				path := filepath.Join(install, name)
				host.check(t, os.MkdirAll(filepath.Dir(path), 0o755))
				host.check(t, os.WriteFile(path, []byte(file.content), file.mode))
			}
			// Of the host's own helper files the links alone are used.
			host.check(t, os.RemoveAll(host.path("install")))
			key := "module/mymodule1/mykey"
			world.redis.Do("hset", key, "colour", "blue")
			host.ctl(t, "module-backup", clientSchedule).succeed(t)
			if _, err := os.Stat(filepath.Join(state, "mykey.dump")); err == nil {
				t.Error("mykey.dump is left")
			}

			world.redis.Do("del", key)
			host.check(t, os.RemoveAll(filepath.Join(install, "volumes")))
			got := host.request(t).succeed(t)
			if !strings.Contains(got.stderr, "module/mymodule1/mykey") {
				t.Errorf("it does not tell where the key went: %s", got.stderr)
			}
			if value := world.redis.Do("hget", key, "colour"); value != "blue" {
				t.Errorf("the key holds %q", value)
			}
			if page, err := os.ReadFile(filepath.Join(install, "volumes/dokuwiki-data/pages/start")); string(page) != "= Welcome =" {
				t.Errorf("the page is %q, %v", page, err)
			}
			if _, err := os.Stat(filepath.Join(install, "volumes/dokuwiki-data/pages/my.log")); err == nil {
				t.Error("what state-exclude.conf names came back")
			}
		})
	}
}
