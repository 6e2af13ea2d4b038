package catalog

import (
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// explain adds advice to an error of Redis about a key.
func (o LoadOptions) explain(err error, key string) error {
	what := "read " + key
	if redis.HasErrorPrefix(err, "WRONGPASS") || redisconn.NoUsers(err) {
		what = "log in to Redis"
	}
	advise := o.Advise
	if advise == nil {
		advise = Redis{}.Advice
	}
	switch advice := advise(err); {
	case advice != "" && redisconn.Ended(err): // the network's own message helps nobody
		return fmt.Errorf("%s: Redis %s", what, advice)
	case advice != "":
		return fmt.Errorf("%s: %w; %s", what, err, advice)
	case redis.HasErrorPrefix(err, "NOPERM"):
		return fmt.Errorf("%s: %w; give the Redis user +@read on %%R~%s, or connect as a user of a node", what, err, key)
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		return fmt.Errorf("%s: %w; NethServer 8 gives this key another type", what, err)
	case redisconn.UnknownCommand(err):
		return fmt.Errorf("%s: this server lacks a command of Redis 6, which is needed: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// explainNoUsers adds advice to a refused ACL LIST.
func (o LoadOptions) explainNoUsers(err error) error {
	if !redis.HasErrorPrefix(err, "NOPERM") {
		return o.explain(err, "ACL LIST")
	}
	if o.ACLSource == ACLList {
		return fmt.Errorf("read the users: %w; give the Redis user +acl|list", err)
	}
	return fmt.Errorf("read the users: the set %s does not exist, and in its place: %w; have the cluster write the set, or give the Redis user +acl|list", ACLs, err)
}
