package catalog

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// explain adds what to do about an error of Redis's that met us at the key.
func explain(err error, key string) error {
	what := "read " + key
	switch {
	case redis.HasErrorPrefix(err, "WRONGPASS"):
		return fmt.Errorf("log in to Redis: %w; check the Redis user and password", err)
	case redis.HasErrorPrefix(err, "NOAUTH"):
		return fmt.Errorf("%s: %w; give a Redis user and password", what, err)
	case redis.HasErrorPrefix(err, "NOPERM"):
		return fmt.Errorf("%s: %w; give the Redis user +@read on %%R~%s, or connect as a user of a node", what, err, key)
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		return fmt.Errorf("%s: %w; NethServer 8 gives this key another type", what, err)
	case strings.Contains(err.Error(), "wrong number of arguments for 'auth'"):
		return fmt.Errorf("log in to Redis: this server knows no users, so it is older than Redis 6, which is needed: %w", err)
	case strings.Contains(err.Error(), "unknown command"):
		return fmt.Errorf("%s: this server lacks a command of Redis 6, which is needed: %w", what, err)
	case redis.HasErrorPrefix(err, "LOADING"):
		return fmt.Errorf("%s: %w; this passes by itself", what, err)
	case redis.HasErrorPrefix(err, "MASTERDOWN"):
		return fmt.Errorf("%s: %w; the replica lost its master and may not answer: check the leader", what, err)
	case Ended(err):
		return fmt.Errorf("%s: Redis %s; where it wants TLS, give a URL that begins with rediss://", what, WhyEnded)
	case isNetwork(err):
		return fmt.Errorf("%s: %w; check that Redis runs and that its address is right", what, err)
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// explainNoUsers is about an ACL LIST that was refused.
func explainNoUsers(err error, source ACLSource) error {
	if !redis.HasErrorPrefix(err, "NOPERM") {
		return explain(err, "ACL LIST")
	}
	if source == ACLList {
		return fmt.Errorf("read the users: %w; give the Redis user +acl|list", err)
	}
	return fmt.Errorf("read the users: the set %s does not exist, and in its place: %w; have the cluster write the set, or give the Redis user +acl|list", ACLs, err)
}

// refused tells whether Redis answered that this user may not do it.
func refused(err error) bool {
	for _, prefix := range []string{"WRONGPASS", "NOAUTH", "NOPERM"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}

// WhyEnded is what to do about a Redis for which Ended is true.
const WhyEnded = "ended the connection: check that it runs; in protected mode it takes nobody from other hosts, until its user default has a password (requirepass)"

// Ended tells whether Redis closed the connection, rather than that nobody listens.
// In protected mode it does so after a word that comes too early to be an answer.
func Ended(err error) bool {
	return redis.HasErrorPrefix(err, "DENIED") || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func isNetwork(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok
}
