package keys

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// NewDump returns the command redis-dump.
func NewDump(sys *host.System) *cobra.Command {
	var opts dumpOptions
	cmd := &cobra.Command{
		Use:   "redis-dump [flags] KEY...",
		Short: "Write Redis keys to stdout",
		Long: `Write Redis keys to stdout, for redis-restore.

One KEY is written as Redis' DUMP returns it; a KEY that does not exist writes
nothing, and is no error. With --keep-ttl, --match or several KEYs the output is
an archive, which carries names, times to live and a checksum; keys that do not
exist are left out of it.

A KEY that begins with the module's own ID is taken below "module/". Keys are read
from the node's own Redis as user "default", and with the agent's credentials
where that user may not read them.`,
		Example: `  redis-dump module/mymodule1/mykey > mykey.dump
  redis-dump --keep-ttl module/mymodule1/session > session.dump
  redis-dump --match 'module/mymodule1/*' > keys.dump
  redis-dump -- "$key" > key.dump`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Full, exit.Forbidden, exit.Redis, exit.Signal),
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && opts.match == "":
				return errors.New("name a key, or a pattern with --match")
			case slices.Contains(args, ""):
				return errors.New("the key's name is empty")
			default:
				return nil
			}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.keys = args
			return runRedisDump(cmd.Context(), sys, opts)
		},
	}
	cmd.Flags().BoolVar(&opts.keepTTL, "keep-ttl", false, "write an archive, which carries the time to live, for a single key too")
	cmd.Flags().StringVar(&opts.match, "match", "", "write all keys whose name matches `PATTERN`, with *, ? and [] as in Redis")
	return cmd
}

type dumpOptions struct {
	keys    []string
	match   string
	keepTTL bool
}

func (o dumpOptions) archive() bool { return o.keepTTL || o.match != "" || len(o.keys) > 1 }

func runRedisDump(ctx context.Context, sys *host.System, opts dumpOptions) error {
	opts.keys = slices.Clone(opts.keys)
	for i, key := range opts.keys {
		opts.keys[i] = ownKey(sys, key)
	}
	opts.match = ownKey(sys, opts.match)

	reader, err := newKeyReader(ctx, sys)
	if err != nil {
		return err
	}
	defer reader.close()

	out := bufio.NewWriter(sys.Stdout)
	if opts.archive() {
		err = dumpArchive(ctx, reader, out, opts)
	} else {
		err = dumpRaw(ctx, reader, out, opts.keys[0])
	}
	if err != nil {
		return err
	}
	return writeFailed(out.Flush())
}

func dumpRaw(ctx context.Context, reader *keyReader, out *bufio.Writer, key string) error {
	k, err := reader.read(ctx, key)
	if err != nil || k == nil {
		return err
	}
	_, err = out.Write(k.Value)
	return writeFailed(err)
}

func dumpArchive(ctx context.Context, reader *keyReader, out *bufio.Writer, opts dumpOptions) error {
	names, err := reader.names(ctx, opts)
	if err != nil {
		return err
	}
	archive, err := newArchiveWriter(out)
	if err != nil {
		return writeFailed(err)
	}
	for _, name := range names {
		k, err := reader.read(ctx, name)
		if err != nil {
			return err
		}
		if k == nil {
			continue
		}
		if err := archive.add(*k); err != nil {
			return writeFailed(err)
		}
	}
	return writeFailed(archive.close())
}

func writeFailed(err error) error {
	if err != nil {
		return fmt.Errorf("write the dump: %w", err)
	}
	return nil
}

// ownKey accepts a key below "module/" and the module's own ID, the only keys that the
// module may write.
func ownKey(s *host.System, key string) string {
	id, err := s.Env.ModuleID()
	if err != nil || !strings.HasPrefix(key, id+"/") {
		return key
	}
	s.Notef("note: key %q is taken as %q: a module's keys are below \"module/\"", key, "module/"+key)
	return "module/" + key
}

// keyReader reads keys from the node's Redis, first as user "default".
type keyReader struct {
	sys    *host.System
	client *redis.Client
	role   host.RedisRole
}

func newKeyReader(ctx context.Context, sys *host.System) (*keyReader, error) {
	r := &keyReader{sys: sys, role: host.LocalDefault}
	var err error
	if r.client, err = sys.RedisForValues(ctx, host.LocalDefault); err == nil {
		return r, nil
	}
	if _, unreachable := errors.AsType[*net.OpError](err); unreachable || !r.hasAgent() {
		return nil, err
	}
	if err := r.becomeAgent(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *keyReader) hasAgent() bool {
	_, err := r.sys.Env.Credentials()
	return err == nil
}

// becomeAgent switches to the agent's credentials.
func (r *keyReader) becomeAgent(ctx context.Context) error {
	client, err := r.sys.RedisForValues(ctx, host.LocalAgent)
	if err != nil {
		return err
	}
	r.close()
	r.client, r.role = client, host.LocalAgent
	return nil
}

func (r *keyReader) close() {
	if r.client != nil {
		_ = r.client.Close()
	}
}

// names returns the keys that opts selects, sorted and without duplicates.
func (r *keyReader) names(ctx context.Context, opts dumpOptions) ([]string, error) {
	names := slices.Clone(opts.keys)
	if opts.match != "" {
		found, err := host.ScanKeys(ctx, r.client, opts.match)
		if err != nil {
			return nil, keyError(r.client, "look for keys", opts.match, err)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// read returns the key, or nil if it does not exist.
func (r *keyReader) read(ctx context.Context, name string) (*savedKey, error) {
	k, err := readKey(ctx, r.client, name)
	if redis.IsPermissionError(err) && r.role == host.LocalDefault && r.hasAgent() {
		if err := r.becomeAgent(ctx); err != nil {
			return nil, err
		}
		k, err = readKey(ctx, r.client, name)
	}
	if err != nil {
		return nil, keyError(r.client, "read", name, err)
	}
	return k, nil
}

func readKey(ctx context.Context, client *redis.Client, name string) (*savedKey, error) {
	// User "default" may not begin a transaction. If the key expires between the two
	// replies, the second one says that it is absent.
	pipe := client.Pipeline()
	ttl, dump := pipe.PTTL(ctx, name), pipe.Dump(ctx, name)
	_, err := pipe.Exec(ctx)
	if errors.Is(dump.Err(), redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &savedKey{Name: name, Value: []byte(dump.Val()), TTL: max(0, ttl.Val().Truncate(time.Millisecond))}, nil
}

// keyError adds the key, and the exit code, to an error.
func keyError(client *redis.Client, verb, key string, err error) error {
	server, user := host.ServerOf(client), client.Options().Username
	if user == "" {
		user = "default"
	}
	_, answered := errors.AsType[redis.Error](err)
	switch {
	case redis.HasErrorPrefix(err, "BUSYKEY"):
		return exit.Failf(exit.KeyExists, "key %q exists already: delete it first, or use --replace", key)
	case redis.IsPermissionError(err):
		return exit.Failf(exit.Forbidden, "user %q has no permission to %s %q: a module's own keys are below \"module/MODULE_ID/\"", user, verb, key)
	case redis.HasErrorPrefix(err, "READONLY"):
		return exit.Failf(exit.Redis, "redis at %s is a read-only replica: REDIS_ADDRESS must be the leader's", server)
	case redis.HasErrorPrefix(err, "OOM"):
		return exit.Failf(exit.Full, "redis at %s has no memory left for key %q", server, key)
	case answered:
		return fmt.Errorf("redis at %s: %s %q: %w", server, verb, key, err)
	default:
		return exit.Failf(exit.Redis, "redis at %s: %s %q: %w", server, verb, key, err)
	}
}
