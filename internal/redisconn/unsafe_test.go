package redisconn_test

import (
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

func TestARedisThatLosesCredentialsIsTold(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes")
	server.SetupNS8()
	for _, test := range []struct {
		policy, memory string
		want           string
	}{
		{"noeviction", "100mb", ""},
		{"volatile-lru", "100mb", ""},
		{"allkeys-lru", "100mb", "removes destinations"},
		{"allkeys-random", "100mb", "removes destinations"},
		{"allkeys-lfu", "0", "if maxmemory were set"},
	} {
		server.Do("CONFIG", "SET", "maxmemory", test.memory, "maxmemory-policy", test.policy)
		got := strings.Join(redisconn.Hazards(t.Context(), server.Admin()), "\n")
		if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s, %s: %q; want %q", test.policy, test.memory, got, test.want)
		}
	}
	// The node's user of NethServer 8 may not ask.
	if got := redisconn.Hazards(t.Context(), server.Client("node/1", redistest.Password("node/1"))); got != nil {
		t.Errorf("told %q without being asked", got)
	}
	server.Do("CONFIG", "SET", "maxmemory-policy", "noeviction", "appendonly", "no")
	if got := strings.Join(redisconn.Hazards(t.Context(), server.Admin()), "\n"); !strings.Contains(got, "keeps nothing on disk") {
		t.Errorf("told %q", got)
	}
}
