package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/alicebob/miniredis/v2"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// A node of a cluster with two modules: one that is backed up, and a new one that is
// restored from it. The IDs have NethServer 8's form.
const (
	destination = "76d73f29-7446-5baf-a700-3ad39be75475"
	schedule    = "1"
	node        = "node/1"
)

var (
	original = module{id: "myapp1", app: "myapp", uuid: "0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11"}
	restored = module{id: "myapp2", app: "myapp", uuid: "5a6d3c1e-1111-4222-8333-0123456789ab"}
)

// cluster is the Redis that the nodes of a cluster share.
type cluster struct {
	redis     *miniredis.Miniredis
	passwords map[string]string // by Redis user
}

// startCluster fills an embedded Redis the way NethServer 8 does.
func startCluster(store string) (*cluster, error) {
	c := &cluster{redis: miniredis.NewMiniRedis(), passwords: map[string]string{}}
	if err := c.redis.Start(); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	if err := c.addUser(node); err != nil {
		return nil, err
	}
	for _, m := range []module{original, restored} {
		if err := c.addUser(m.user()); err != nil {
			return nil, err
		}
		c.redis.HSet(catalog.ModuleUUID, m.id, m.uuid)
		c.redis.HSet(catalog.ModuleNode, m.id, "1")
		c.redis.HSet(catalog.ModuleEnvironmentKey(m.id), catalog.FieldImageURL, m.image())
	}
	if err := c.redis.Set("module/"+original.id+"/ui_name", "My application"); err != nil {
		return nil, err
	}
	c.redis.HSet(catalog.DestinationKey(destination),
		catalog.FieldName, "A directory", catalog.FieldProvider, "rclone",
		catalog.FieldURL, "rclone:local:demo:"+store, catalog.FieldBasePath, store)
	c.redis.HSet(catalog.RcloneConf, destination, "["+destination+"]\ntype = local\n")
	c.redis.HSet(catalog.ResticPassword, destination, secret())
	c.redis.HSet(catalog.BackupKey(schedule), "repository", destination, "name", "Demo", "enabled", "1",
		"retention", "3", "schedule", "daily", "instances", original.id)
	if err := c.redis.Set(catalog.BackupSequence, schedule); err != nil {
		return nil, err
	}
	c.redis.HSet(catalog.RestoreUUID, restored.uuid, original.uuid)
	return c, nil
}

// addUser adds a Redis user, and its line of ACL LIST.
func (c *cluster) addUser(name string) error {
	password := secret()
	digest := sha256.Sum256([]byte(password))
	c.passwords[name] = password
	c.redis.RequireUserAuth(name, password)
	_, err := c.redis.SAdd(catalog.ACLs, "user "+name+" on #"+hex.EncodeToString(digest[:])+" ~"+name+"/* +@all")
	return err
}

func secret() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// password returns the password of the destination's repositories.
func (c *cluster) password() (string, error) {
	value := c.redis.HGet(catalog.ResticPassword, destination)
	if value == "" {
		return "", fmt.Errorf("no restic password for destination %s", destination)
	}
	return value, nil
}
