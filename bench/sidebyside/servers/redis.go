package servers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// A Redis holds what the gateway reads.
type Redis struct {
	*Process
	addr   string
	client *redis.Client
}

// StartRedis starts an empty one.
func StartRedis(ctx context.Context, dir string) (*Redis, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	p, err := startProcess(ctx, addr, nil, "redis-server",
		"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--appendonly", "no")
	if err != nil {
		return nil, err
	}
	return &Redis{p, addr, redis.NewClient(&redis.Options{Addr: addr})}, nil
}

// describe writes one module, one node and one destination.
func (r *Redis) describe(ctx context.Context, at Storage) error {
	section, base := "type = local\n", at.Dir
	if at.Bucket != "" {
		section, base = "", at.Bucket
		for key, value := range s3Section(at) {
			section += strings.ToLower(key) + " = " + value + "\n"
		}
	}
	_, err := r.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Do(ctx, "ACL", "SETUSER", NodeUser, "reset", "on", digest(), "~*", "+@read", "+@connection")
		p.Del(ctx, catalog.ACLs)
		p.SAdd(ctx, catalog.ACLs,
			"user "+NodeUser+" on "+digest()+" ~* +@read",
			"user module/"+ModuleID+" on "+digest()+" ~module/"+ModuleID+"/* +@read")
		p.HSet(ctx, catalog.ModuleUUID, ModuleID, moduleUUID)
		p.HSet(ctx, catalog.RestoreUUID, moduleUUID, longUUID)
		p.HSet(ctx, catalog.DestinationKey(Destination), catalog.FieldURL, "rclone:bench", catalog.FieldName, "bench",
			catalog.FieldProvider, "rclone", catalog.FieldBasePath, base)
		p.HSet(ctx, catalog.RcloneConf, Destination, "["+Destination+"]\n"+section)
		return nil
	})
	return err
}

// DescribePlain adds a destination that keeps nothing, in a directory of its own.
func (r *Redis) DescribePlain(ctx context.Context, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, err := range []error{
		r.client.HSet(ctx, catalog.DestinationKey(PlainDestination), catalog.FieldURL, "rclone:plain", catalog.FieldName, "plain",
			catalog.FieldProvider, "rclone", catalog.FieldBasePath, dir).Err(),
		r.client.HSet(ctx, catalog.RcloneConf, PlainDestination, "["+PlainDestination+"]\ntype = local\n").Err(),
		r.client.HSet(ctx, catalog.LimitsKey(PlainDestination), catalog.FieldKeepDeleted, "0").Err(),
	} {
		if err != nil {
			return fmt.Errorf("describe %s: %w", dir, err)
		}
	}
	return nil
}

// describeNodes makes the destination one of node 2, at addr.
func (r *Redis) describeNodes(ctx context.Context, addr string) error {
	return errors.Join(
		r.client.SAdd(ctx, catalog.ACLs, "user node/"+ownerID+" on "+digest()+" ~* +@read").Err(),
		r.client.HSet(ctx, catalog.NodeVPNKey("1"), catalog.FieldIPAddress, hopIP).Err(),
		r.client.HSet(ctx, catalog.NodeVPNKey(ownerID), catalog.FieldIPAddress, ownerIP).Err(),
		r.client.HSet(ctx, catalog.DestinationKey(Destination),
			catalog.FieldURL, "webdav:http://"+addr, catalog.FieldProvider, catalog.ProviderCluster).Err(),
	)
}

var smembersCalls = regexp.MustCompile(`cmdstat_smembers:calls=(\d+)`)

// Reads is how often the list of users was read.
func (r *Redis) Reads(ctx context.Context) (int64, error) {
	text, err := r.client.Info(ctx, "commandstats").Result()
	if err != nil {
		return 0, err
	}
	found := smembersCalls.FindStringSubmatch(text)
	if found == nil {
		return 0, nil
	}
	return strconv.ParseInt(found[1], 10, 64)
}

// digest is the password as Redis ACLs have it.
func digest() string {
	sum := sha256.Sum256([]byte(Password))
	return "#" + hex.EncodeToString(sum[:])
}

// Stop ends the server.
func (r *Redis) Stop() {
	_ = r.client.Close() // its server ends with it
	r.Process.Stop()
}
