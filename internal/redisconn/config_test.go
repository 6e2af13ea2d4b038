package redisconn_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testcert"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

func TestRedisIsReachedInEachWay(t *testing.T) {
	ca := testcert.New(t)
	cert, key := ca.Issue(t)
	s, tlsAddr := redistest.StartTLS(t, ca)
	client := redisconn.TLS{CA: ca.CA, Cert: cert, Key: key}
	s.SetupNS8()
	s.Do("SET", "cluster/main", "yes")
	replica := redistest.Start(t)
	replica.SetupNS8()
	sentinel := redistest.StartSentinel(t, "ns8", s)
	user, password := "node/1", redistest.Password("node/1")
	login := url.QueryEscape(user) + ":" + password

	for _, tt := range []struct {
		name    string
		redis   redisconn.Config
		replica bool   // the replica is read
		err     string // instead
	}{
		{"host and port", redisconn.Config{Address: s.Addr, Username: user, Password: password}, false, ""},
		{"path of a socket", redisconn.Config{Address: s.Socket, Username: user, Password: password}, false, ""},
		{"socket with its scheme", redisconn.Config{Address: "unix://" + s.Socket, Username: user, Password: password}, false, ""},
		{"URL", redisconn.Config{URL: "redis://" + login + "@" + s.Addr + "/0"}, false, ""},
		{"URL, user and password beside it", redisconn.Config{URL: "redis://x:y@" + s.Addr, Username: user, Password: password}, false, ""},
		{"URL of a socket", redisconn.Config{URL: "unix://" + login + "@" + s.Socket}, false, ""},
		{"URL with TLS", redisconn.Config{URL: "rediss://" + login + "@" + tlsAddr, TLS: client}, false, ""},
		{"URL with TLS and its check switched off", redisconn.Config{URL: "rediss://" + login + "@" + tlsAddr + "?skip_verify=true", TLS: redisconn.TLS{Cert: cert, Key: key}}, false, ""},
		{"TLS by its certificates", redisconn.Config{Address: tlsAddr, TLS: client, Username: user, Password: password}, false, ""},
		{"TLS, not trusted", redisconn.Config{URL: "rediss://" + login + "@" + tlsAddr}, false, "certificate"},
		{"Sentinel", redisconn.Config{SentinelMaster: "ns8", SentinelAddrs: []string{sentinel}, Username: user, Password: password}, false, ""},
		{"a replica", redisconn.Config{Address: s.Addr, ReplicaAddress: replica.Addr, Username: user, Password: password}, true, ""},
		{"a replica, its main server away", redisconn.Config{Address: testenv.FreeAddr(t), ReplicaAddress: replica.Addr, Username: user, Password: password}, true, ""},
		{"a replica that is away", redisconn.Config{Address: s.Addr, ReplicaAddress: testenv.FreeAddr(t), Username: user, Password: password}, false, ""},
		{"a replica that talks garbage", redisconn.Config{Address: s.Addr, ReplicaAddress: redistest.Reply(t, "HTTP/1.1 400\r\n"), Username: user, Password: password}, false, ""},
		{"a replica that is loading", redisconn.Config{Address: s.Addr, ReplicaAddress: redistest.Reply(t, "-LOADING Redis is loading\r\n"), Username: user, Password: password}, false, ""},
		{"both away", redisconn.Config{Address: testenv.FreeAddr(t), ReplicaAddress: testenv.FreeAddr(t)}, false, "and its replica: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rdb := open(t, tt.redis)
			got, err := rdb.Exists(t.Context(), "cluster/main").Result()
			// On a busy machine an attempt may end before the other side is known.
			for range 5 {
				if tt.err == "" || !errors.Is(err, context.DeadlineExceeded) {
					break
				}
				got, err = rdb.Exists(t.Context(), "cluster/main").Result()
			}
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), password) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if readReplica := got == 0; readReplica != tt.replica {
				t.Errorf("read the replica: %v", readReplica)
			}
		})
	}

	t.Run("a replica that hangs", func(t *testing.T) {
		replica.Pause()
		defer replica.Resume()
		rdb := open(t, redisconn.Config{Address: s.Addr, ReplicaAddress: replica.Addr, Username: user, Password: password})
		if got, err := rdb.Exists(t.Context(), "cluster/main").Result(); err != nil || got != 1 {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("the main server is written, whatever the replica", func(t *testing.T) {
		rdb, err := redisconn.Config{Address: s.Addr, ReplicaAddress: replica.Addr, Username: user, Password: password}.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rdb.Close() }()
		if got, err := rdb.Exists(t.Context(), "cluster/main").Result(); err != nil || got != 1 {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestRedisConfigurationIsRefusedWithoutTellingPasswords(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]redisconn.Config{
		"a URL of another scheme":              {URL: "http://u:SECRET@h"},
		"a URL that does not parse":            {URL: "redis://u:SECRET/x@h:6379"},
		"a URL with an unknown setting":        {URL: "redis://u:SECRET@h?x=SECRET"},
		"a URL for an address":                 {Address: "redis://u:SECRET@h:1"},
		"a host without port":                  {Address: "h"},
		"a host with an empty port":            {Address: "h:"},
		"a replica without port":               {ReplicaAddress: "SECRET"},
		"both a URL and an address":            {URL: "redis://u:SECRET@h", Address: "h:1"},
		"both a Sentinel and an address":       {SentinelMaster: "m", SentinelAddrs: []string{"h:1"}, Address: "h:1"},
		"a master without Sentinel":            {SentinelMaster: "m", Password: "SECRET"},
		"an empty file of certificates":        {TLS: redisconn.TLS{CA: empty}, Password: "SECRET"},
		"a file of certificates that is empty": {TLS: redisconn.TLS{CA: os.DevNull}},
		"no file of certificates":              {TLS: redisconn.TLS{CA: empty + "x"}},
		"a client certificate without its key": {TLS: redisconn.TLS{Cert: empty}},
		"an empty client certificate":          {TLS: redisconn.TLS{Cert: empty, Key: empty}},
		"a Sentinel without a master":          {SentinelAddrs: []string{"h:1"}},
		"a Sentinel without a port":            {SentinelAddrs: []string{"SECRET"}, SentinelMaster: "m"},
		"a Sentinel's TLS without a CA":        {SentinelAddrs: []string{"h:1"}, SentinelMaster: "m", SentinelTLS: redisconn.TLS{CA: empty}},
	} {
		t.Run(name, func(t *testing.T) {
			rdb, err := r.Open()
			if rdb, errReader := r.OpenReader(); errReader == nil && r.ReplicaAddress != "" {
				t.Errorf("a reader was opened: %v", rdb)
			}
			if r.ReplicaAddress != "" {
				return // only readers use it
			}
			if err == nil || rdb != nil || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("got %v, error %v", rdb, err)
			}
		})
	}
}

func TestRedisIsPrintedWithoutPasswords(t *testing.T) {
	for want, r := range map[string]redisconn.Config{
		"127.0.0.1:6379":              {Password: "SECRET"},
		"h:1, read at h:2 as node/1":  {Address: "h:1", ReplicaAddress: "h:2", Username: "node/1", Password: "SECRET"},
		"rediss://u@h:1/0 as v":       {URL: "rediss://u:SECRET@h:1/0?password=SECRET", Username: "v", Password: "SECRET"},
		"a URL that cannot be read":   {URL: "redis://u:SECRET/x@h:6379"},
		"m at Sentinel a:1,b:2 as me": {SentinelMaster: "m", SentinelAddrs: []string{"a:1", "b:2"}, SentinelPassword: "SECRET", Username: "me", Password: "SECRET"},
	} {
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "redis", r)
		for _, got := range []string{r.String(), fmt.Sprint(r), fmt.Sprintf("%+v", r), fmt.Sprintf("%#v", r)} {
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		if strings.Contains(log.String(), "SECRET") || !strings.Contains(log.String(), want) {
			t.Errorf("logged %s", log.String())
		}
	}
}

func open(t *testing.T, c redisconn.Config) *redis.Client {
	t.Helper()
	rdb, err := c.OpenReader()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}
