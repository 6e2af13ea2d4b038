package redistest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

func TestUsersHaveThePermissionsOfNethServer8(t *testing.T) {
	s := Start(t)
	s.SetupNS8()
	s.AddModules(Module{ID: "traefik1", UUID: "0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c001"})
	s.Grant("0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c001", "0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c002")

	for _, tt := range []struct {
		user, command string
		allowed       bool
	}{
		{"node/1", "HGETALL private/nodes/restore_uuid", true},
		{"node/1", "SMEMBERS cluster/acls", true},
		{"node/1", "HSET node/1/x a b", true},
		{"node/1", "PUBLISH node/1/event/x y", true},
		{"node/1", "HSET cluster/x a b", false},
		{"node/1", "ACL LIST", false},
		{"node/1", "PSUBSCRIBE */event/*", false},
		{"module/traefik1", "HGETALL private/agents/backup_destination/restic_password", true},
		{"module/traefik1", "SET module/traefik1/key v", true},
		{"module/traefik1", "SET module/traefik2/key v", false},
		{"module/traefik1", "HGETALL private/nodes/restore_uuid", false},
		{"default", "HGETALL cluster/module_uuid", true},
		{"default", "PSUBSCRIBE */event/*", true},
		{"default", "HGETALL private/nodes/restore_uuid", false},
		{"default", "SET cluster/x y", false},
	} {
		t.Run(tt.user+" "+tt.command, func(t *testing.T) {
			c := s.Client(tt.user, Password(tt.user))
			var args []any
			for word := range strings.FieldsSeq(tt.command) {
				args = append(args, word)
			}
			err := c.Do(t.Context(), args...).Err()
			if refused := err != nil && strings.HasPrefix(err.Error(), "NOPERM"); refused == tt.allowed {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func TestRestartKeepsWhatStopSaved(t *testing.T) {
	s := Start(t)
	s.SetupNS8()
	s.Stop()
	s.Restart()
	got, err := s.Client("node/1", Password("node/1")).Get(t.Context(), catalog.ClusterUUID).Result()
	if err != nil || got != ClusterUUID {
		t.Errorf("after the restart: %q, %v", got, err)
	}
}

func TestPausedServerDoesNotAnswerUntilItResumes(t *testing.T) {
	s := Start(t)
	s.Pause()
	answered := make(chan error, 1)
	go func() { answered <- s.Admin().Ping(context.Background()).Err() }()
	select {
	case err := <-answered:
		t.Errorf("a paused server answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.Resume()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestSentinelNamesItsMaster(t *testing.T) {
	s := Start(t)
	addr := StartSentinel(t, "ns8", s)
	sentinel := &Server{tb: t, Addr: addr}
	got, err := sentinel.Client("", "").Do(t.Context(), "SENTINEL", "get-master-addr-by-name", "ns8").StringSlice()
	if err != nil || strings.Join(got, ":") != s.Addr {
		t.Errorf("got %v, %v; want %s", got, err, s.Addr)
	}
}
