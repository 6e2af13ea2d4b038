package redisconn_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testcert"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// TestEachMissingSettingIsNamed tries a Redis that wants client certificates, and
// Sentinels with users, with passwords and with TLS.
func TestEachMissingSettingIsNamed(t *testing.T) {
	t.Parallel()
	ca, stranger := testcert.New(t), testcert.New(t)
	cert, key := ca.Issue(t)
	strangeCert, strangeKey := stranger.Issue(t)
	server, tlsAddr := redistest.StartTLS(t, ca)
	server.SetupNS8()
	server.Do("SET", "cluster/here", "yes")
	server.Do("ACL", "SETUSER", "default", "off")
	named, namedAddr := redistest.StartTLS(t, ca, "redis.example")
	named.SetupNS8()
	named.Do("SET", "cluster/here", "yes")
	guarded := redistest.Sentinel{User: "watcher", Password: "watchword"}.Start(t, "ns8", server, server.Addr)
	encrypted := redistest.Sentinel{User: "watcher", Password: "watchword", TLS: ca}.Start(t, "ns8", server, tlsAddr)

	user, password := "node/1", redistest.Password("node/1")
	client := redisconn.TLS{CA: ca.CA, Cert: cert, Key: key}
	at := func(addr string, tls redisconn.TLS) redisconn.Config {
		return redisconn.Config{Address: addr, TLS: tls, Username: user, Password: password}
	}
	sentinel := func(addr, sentinelPassword string, tls, sentinelTLS redisconn.TLS) redisconn.Config {
		return redisconn.Config{
			SentinelMaster: "ns8", SentinelAddrs: []string{addr}, SentinelUsername: "watcher", SentinelPassword: sentinelPassword,
			TLS: tls, SentinelTLS: sentinelTLS, Username: user, Password: password,
		}
	}
	unnamed := sentinel(guarded, "watchword", redisconn.TLS{}, redisconn.TLS{})
	unnamed.SentinelMaster = "other"
	nobody := sentinel(guarded, "", redisconn.TLS{}, redisconn.TLS{})
	nobody.SentinelUsername = ""
	for _, tt := range []struct {
		name string
		redisconn.Config
		want string // "": it works
	}{
		{"client certificate", at(tlsAddr, client), ""},
		{"no client certificate", at(tlsAddr, redisconn.TLS{CA: ca.CA}), "--redis-cert ($REDIS_CERT)"},
		{"a client certificate of another CA", at(tlsAddr, redisconn.TLS{CA: ca.CA, Cert: strangeCert, Key: strangeKey}), "ertificate"},
		{"no CA", at(tlsAddr, redisconn.TLS{Cert: cert, Key: key}), "name the CA's file by --redis-ca ($REDIS_CA)"},
		{"another CA", at(tlsAddr, redisconn.TLS{CA: stranger.CA, Cert: cert, Key: key}), "not signed by the CA in " + stranger.CA},
		{"a certificate for another name", at(namedAddr, client), "--redis-server-name ($REDIS_SERVER_NAME)"},
		{"a certificate for the name that was given", at(namedAddr, redisconn.TLS{CA: ca.CA, Cert: cert, Key: key, ServerName: "redis.example"}), ""},
		{"TLS where none is spoken", at(server.Addr, client), "that it speaks TLS there"},
		{"no TLS where it is spoken", at(tlsAddr, redisconn.TLS{}), "--redis-tls ($REDIS_TLS)"},
		{"no login", redisconn.Config{Address: server.Addr}, "--redis-user ($REDIS_USER)"},
		{"a user without a password", redisconn.Config{Address: server.Addr, Username: user}, "$REDIS_PASSWORD"},
		{"a wrong password", redisconn.Config{Address: server.Addr, Username: user, Password: "wrong-one"}, "another password"},
		{"nobody listening", at(testenv.FreeAddr(t), redisconn.TLS{}), "check that Redis runs"},

		{"Sentinel with a user and a password", sentinel(guarded, "watchword", redisconn.TLS{}, redisconn.TLS{}), ""},
		{"Sentinel without its password", sentinel(guarded, "", redisconn.TLS{}, redisconn.TLS{}), "$REDIS_SENTINEL_PASSWORD"},
		{"Sentinel without anything", nobody, "$REDIS_SENTINEL_PASSWORD"},
		{"Sentinel with a wrong password", sentinel(guarded, "wrong-one", redisconn.TLS{}, redisconn.TLS{}), "--redis-sentinel-user"},
		{"a master that Sentinel does not watch", unnamed, "--redis-sentinel-master"},
		{"no Sentinel there", sentinel(testenv.FreeAddr(t), "watchword", redisconn.TLS{}, redisconn.TLS{}), "check that a Sentinel runs"},
		{"a Redis instead of Sentinel", sentinel(server.Addr, "", redisconn.TLS{}, redisconn.TLS{}), "entinel"},
		{"Sentinel and server with TLS", sentinel(encrypted, "watchword", client, redisconn.TLS{Enabled: true}), ""},
		{"Sentinel with TLS of its own", sentinel(encrypted, "watchword", client, client), ""},
		{"Sentinel with TLS that was not asked for", sentinel(encrypted, "watchword", client, redisconn.TLS{}), "--redis-sentinel-tls"},
		{"Sentinel with TLS, no CA", sentinel(encrypted, "watchword", redisconn.TLS{Cert: cert, Key: key}, redisconn.TLS{Enabled: true}), "--redis-sentinel-ca"},
		{"Sentinel with TLS, no client certificate", sentinel(encrypted, "watchword", redisconn.TLS{}, redisconn.TLS{CA: ca.CA}), "--redis-sentinel-cert"},
		{"the server behind Sentinel with TLS, not trusted", sentinel(encrypted, "watchword", redisconn.TLS{Enabled: true}, client), "--redis-ca"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.Address == server.Addr && tt.TLS.On() {
				tt.Timeout = time.Second // that Redis waits for the end of a line
			}
			got, err := open(t, tt.Config).Exists(t.Context(), "cluster/here").Result()
			if tt.want == "" {
				if err != nil || got != 1 {
					t.Errorf("%d, %v: %s", got, err, tt.Advice(err))
				}
				return
			}
			advice := tt.Advice(err)
			if err == nil || !strings.Contains(advice, tt.want) {
				t.Errorf("advice %q on %v", advice, err)
			}
			for _, secret := range []string{password, "watchword", "wrong-one"} {
				if strings.Contains(advice, secret) {
					t.Errorf("advice %q", advice)
				}
			}
			if tt.Password == password && strings.Contains(advice, "give a Redis user") {
				t.Errorf("a password that was given is asked for: %s", advice)
			}
		})
	}
}
