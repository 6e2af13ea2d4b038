package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// module is an application as its node's agent knows it.
type module struct {
	id, app, uuid string
	root          string // has state, volumes, and what the image installed
}

func (m module) user() string     { return "module/" + m.id }
func (m module) image() string    { return "ghcr.io/example/" + m.app + ":1.0" }
func (m module) stateDir() string { return filepath.Join(m.root, "state") }
func (m module) dataDir() string  { return filepath.Join(m.root, "volumes", m.app+"-data") }

// key returns the Redis key that is part of the module's data.
func (m module) key() string { return "module/" + m.id + "/mykey" }

// install creates the module's files: those of its developer, as in NethServer 8's
// documentation, and its state.
func (m module) install() error {
	files := []struct {
		path, content string
		mode          os.FileMode
	}{
		{"bin/module-dump-state", "#!/bin/bash\nredis-dump " + m.key() + " > mykey.dump\n", 0o755},
		{"bin/module-cleanup-state", "#!/bin/bash\nrm -f mykey.dump\n", 0o755},
		{"etc/state-include.conf", "state/mykey.dump\nvolumes/" + m.app + "-data\n", 0o644},
		{"actions/restore-module/20loadkey", "#!/bin/bash\nredis-restore " + m.id + "/mykey < mykey.dump\n", 0o755},
		{"state/environment", fmt.Sprintf("MODULE_ID=%s\nMODULE_UUID=%s\nIMAGE_URL=%s\n", m.id, m.uuid, m.image()), 0o600},
	}
	var errs []error
	for _, f := range files {
		path := filepath.Join(m.root, f.path)
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(f.content), f.mode))
	}
	return errors.Join(append(errs, os.MkdirAll(m.dataDir(), 0o755))...)
}

// environment returns the environment in which NethServer 8's agent runs a module's
// commands.
func (m module) environment(c *cluster, gatewayURL, links string) []string {
	return append(cleanEnvironment(),
		"PATH="+filepath.Join(m.root, "bin")+":"+links+":"+os.Getenv("PATH"),
		"MODULE_ID="+m.id, "MODULE_UUID="+m.uuid, "IMAGE_URL="+m.image(), "NODE_ID=1",
		"AGENT_ID="+m.user(), "AGENT_INSTALL_DIR="+m.root, "AGENT_STATE_DIR="+m.stateDir(),
		"REDIS_USER="+m.user(), "REDIS_PASSWORD="+c.passwords[m.user()],
		"REDIS_ADDRESS="+c.redis.Addr(), "REDIS_REPLICA_ADDRESS="+c.redis.Addr(),
		"NS8_GATEWAY_URL="+gatewayURL, "NS8_RESTIC_RUNTIME=native",
		"RESTIC_CACHE_DIR="+filepath.Join(m.root, "cache"),
	)
}
