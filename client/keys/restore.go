package keys

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// NewRestore returns the command redis-restore.
func NewRestore(sys *host.System) *cobra.Command {
	var opts loadOptions
	cmd := &cobra.Command{
		Use:   "redis-restore [flags] [KEY [TTL]]",
		Short: "Create Redis keys from what redis-dump wrote",
		Long: `Create Redis keys from what redis-dump wrote, read from stdin. Empty input is
ignored.

A single dump is stored as KEY, with TTL milliseconds to live, or for ever. An
archive knows its keys and their times to live: without KEY all of them are
stored, with KEY only that one; an archive of one key is stored as KEY whatever
the name in it. An archive's keys of another module become the module's own, so
that a module is restored under a new name.

A key that exists already is left as it is, unless --replace is given; nothing of
an archive is stored then. A KEY that begins with the module's own ID is taken
below "module/". Keys are written to the cluster's leader with the agent's
credentials.`,
		Example: `  redis-restore module/mymodule1/mykey < mykey.dump
  redis-restore --replace module/mymodule1/mykey 60000 < mykey.dump
  redis-restore < keys.dump`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Full, exit.Forbidden, exit.Redis, exit.NotFound, exit.KeyExists, exit.BadDump, exit.Signal),
		Args:        cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.parse(args); err != nil {
				return err
			}
			return runRedisRestore(cmd.Context(), sys, sys.Stdin, opts)
		},
	}
	cmd.Flags().BoolVar(&opts.replace, "replace", false, "replace keys that exist already")
	cmd.Flags().BoolVar(&opts.keepTTL, "keep-ttl", false, "insist that the input carries its time to live (redis-dump --keep-ttl)")
	return cmd
}

type loadOptions struct {
	key     string         // "" with an archive: every key
	ttl     *time.Duration // nil: as in the archive; a single dump does not expire
	replace bool
	keepTTL bool
}

func (o *loadOptions) parse(args []string) error {
	if len(args) > 0 {
		if o.key = args[0]; o.key == "" {
			return exit.Failf(exit.Usage, "the key's name is empty")
		}
	}
	if len(args) < 2 {
		return nil
	}
	if o.keepTTL {
		return exit.Failf(exit.Usage, "a TTL and --keep-ttl exclude each other")
	}
	// Redis adds the time to its clock: the sum must stay below 2⁶³ ns.
	ms, err := strconv.ParseUint(args[1], 10, 42)
	if err != nil {
		return exit.Failf(exit.Usage, "TTL %q is not a number of milliseconds from 0 to %d", args[1], uint64(1)<<42-1)
	}
	ttl := time.Duration(ms) * time.Millisecond
	o.ttl = &ttl
	return nil
}

// runRedisRestore stores the keys of the input.
func runRedisRestore(ctx context.Context, sys *host.System, input io.Reader, opts loadOptions) error {
	data, err := io.ReadAll(input)
	if err != nil {
		return fmt.Errorf("read the dump: %w", err)
	}
	if len(data) == 0 {
		return nil
	}
	if opts.key != "" {
		opts.key = ownKey(sys, opts.key)
	}
	keys, err := keysOf(sys, data, opts)
	if err != nil || len(keys) == 0 {
		return err
	}
	client, err := sys.RedisForValues(ctx, host.LeaderAgent)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	return storeKeys(ctx, client, keys, opts.replace)
}

// keysOf returns the keys to store from data, a single dump or an archive.
func keysOf(sys *host.System, data []byte, opts loadOptions) ([]savedKey, error) {
	if !isArchive(data) {
		switch {
		case opts.key == "":
			return nil, exit.Failf(exit.Usage, "the input is a single dump, which does not know its key: name it")
		case opts.keepTTL:
			return nil, exit.Failf(exit.BadDump, "the input carries no time to live: write it with redis-dump --keep-ttl")
		}
		k := savedKey{Name: opts.key, Value: data}
		if opts.ttl != nil {
			k.TTL = *opts.ttl
		}
		return []savedKey{k}, nil
	}
	keys, err := parseArchive(data)
	if err != nil {
		return nil, exit.With(exit.BadDump, err)
	}
	return chosenKeys(keys, adopt(sys, keys), opts)
}

// chosenKeys returns the keys of an archive that opts selects. adopted holds the same keys,
// renamed to the module's own.
func chosenKeys(archived, adopted []savedKey, opts loadOptions) ([]savedKey, error) {
	var chosen []savedKey
	for i, k := range adopted {
		if opts.ttl != nil {
			k.TTL = *opts.ttl
		}
		switch {
		case opts.key == "" || opts.key == k.Name:
			chosen = append(chosen, k)
		case opts.key == archived[i].Name || len(adopted) == 1:
			k.Name = opts.key
			chosen = append(chosen, k)
		}
	}
	if opts.key != "" && len(chosen) == 0 {
		return nil, exit.Failf(exit.NotFound, "the archive of %d keys does not hold %q", len(archived), opts.key)
	}
	return chosen, nil
}

// adopt renames keys of another module to the module's own.
func adopt(s *host.System, keys []savedKey) []savedKey {
	id, err := s.Env.ModuleID()
	if err != nil {
		return keys
	}
	adopted := make([]savedKey, len(keys))
	told := map[string]bool{id: true}
	for i, k := range keys {
		adopted[i] = k
		rest, ok := strings.CutPrefix(k.Name, "module/")
		other, name, ok2 := strings.Cut(rest, "/")
		if !ok || !ok2 {
			continue
		}
		if !told[other] {
			told[other] = true
			s.Notef("note: the archive's keys below %q are stored below %q", "module/"+other+"/", "module/"+id+"/")
		}
		adopted[i].Name = "module/" + id + "/" + name
	}
	return adopted
}

// storeKeys creates the keys. Unless replace is set, it creates none if one of them exists.
func storeKeys(ctx context.Context, client *redis.Client, keys []savedKey, replace bool) error {
	if !replace && len(keys) > 1 {
		if err := refuseExisting(ctx, client, keys); err != nil {
			return err
		}
	}
	store := client.Restore
	if replace {
		store = client.RestoreReplace
	}
	for _, k := range keys {
		if err := store(ctx, k.Name, k.TTL, string(k.Value)).Err(); err != nil {
			return storeError(client, k, err)
		}
	}
	return nil
}

func refuseExisting(ctx context.Context, client *redis.Client, keys []savedKey) error {
	for _, k := range keys {
		n, err := client.Exists(ctx, k.Name).Result()
		if err != nil {
			return keyError(client, "write", k.Name, err)
		}
		if n > 0 {
			return exit.Failf(exit.KeyExists, "key %q exists already, so nothing was stored: delete it first, or use --replace", k.Name)
		}
	}
	return nil
}

func storeError(client *redis.Client, k savedKey, err error) error {
	if isPayloadError(err) {
		return exit.Failf(exit.BadDump, "redis refuses the dump for key %q: %w", k.Name, inspectPayload(k.Value))
	}
	return keyError(client, "write", k.Name, err)
}

// isPayloadError reports whether Redis refused the payload of RESTORE.
func isPayloadError(err error) bool {
	return redis.HasErrorPrefix(err, "DUMP payload") || redis.HasErrorPrefix(err, "Bad data format")
}

// redisCRC is the table for the checksum at the end of a DUMP value, CRC-64 "Jones"
// (src/crc64.c of Redis).
var redisCRC = crc64.MakeTable(0x95ac9329ac4bc9b5)

// payloadFooter is the RDB version, 2 bytes, and the checksum, 8 bytes, both
// little endian (createDumpPayload in src/cluster.c of Redis).
const payloadFooter = 10

// inspectPayload says why Redis refused a DUMP value. Redis itself does not distinguish a
// wrong version from a wrong checksum.
func inspectPayload(value []byte) error {
	if len(value) <= payloadFooter {
		return fmt.Errorf("it is truncated to %d bytes", len(value))
	}
	body, footer := value[:len(value)-8], value[len(value)-payloadFooter:]
	// Redis' checksum starts at 0 and is not inverted; Go's does both.
	if ^crc64.Update(^uint64(0), redisCRC, body) != binary.LittleEndian.Uint64(footer[2:]) {
		return errors.New("it is truncated or damaged, its checksum is wrong")
	}
	return fmt.Errorf("it was written by another version of Redis (RDB version %d), which this one cannot read", binary.LittleEndian.Uint16(footer))
}
