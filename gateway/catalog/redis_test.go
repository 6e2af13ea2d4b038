package catalog_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

func TestRedisIsReachedInEachWay(t *testing.T) {
	cert, key := certificate(t)
	tlsAddr := testenv.FreeAddr(t)
	_, tlsPort, _ := net.SplitHostPort(tlsAddr)
	s := redistest.Start(t, "--tls-port", tlsPort, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	s.SetupNS8()
	s.Do("SET", "cluster/main", "yes")
	replica := redistest.Start(t)
	replica.SetupNS8()
	sentinel := redistest.StartSentinel(t, "ns8", s)
	user, password := "node/1", redistest.Password("node/1")
	login := url.QueryEscape(user) + ":" + password

	for _, tt := range []struct {
		name    string
		redis   catalog.Redis
		replica bool   // the replica is read
		err     string // instead
	}{
		{"host and port", catalog.Redis{Address: s.Addr, Username: user, Password: password}, false, ""},
		{"path of a socket", catalog.Redis{Address: s.Socket, Username: user, Password: password}, false, ""},
		{"socket with its scheme", catalog.Redis{Address: "unix://" + s.Socket, Username: user, Password: password}, false, ""},
		{"URL", catalog.Redis{URL: "redis://" + login + "@" + s.Addr + "/0"}, false, ""},
		{"URL, user and password beside it", catalog.Redis{URL: "redis://x:y@" + s.Addr, Username: user, Password: password}, false, ""},
		{"URL of a socket", catalog.Redis{URL: "unix://" + login + "@" + s.Socket}, false, ""},
		{"URL with TLS", catalog.Redis{URL: "rediss://" + login + "@" + tlsAddr, CACert: cert}, false, ""},
		{"URL with TLS and its check switched off", catalog.Redis{URL: "rediss://" + login + "@" + tlsAddr + "?skip_verify=true"}, false, ""},
		{"TLS by its certificates", catalog.Redis{Address: tlsAddr, CACert: cert, Username: user, Password: password}, false, ""},
		{"TLS, not trusted", catalog.Redis{URL: "rediss://" + login + "@" + tlsAddr}, false, "certificate"},
		{"Sentinel", catalog.Redis{SentinelMaster: "ns8", SentinelAddrs: []string{sentinel}, Username: user, Password: password}, false, ""},
		{"a replica", catalog.Redis{Address: s.Addr, ReplicaAddress: replica.Addr, Username: user, Password: password}, true, ""},
		{"a replica, its main server away", catalog.Redis{Address: testenv.FreeAddr(t), ReplicaAddress: replica.Addr, Username: user, Password: password}, true, ""},
		{"a replica that is away", catalog.Redis{Address: s.Addr, ReplicaAddress: testenv.FreeAddr(t), Username: user, Password: password}, false, ""},
		{"a replica that talks garbage", catalog.Redis{Address: s.Addr, ReplicaAddress: serve(t, "HTTP/1.1 400\r\n"), Username: user, Password: password}, false, ""},
		{"a replica that is loading", catalog.Redis{Address: s.Addr, ReplicaAddress: serve(t, "-LOADING Redis is loading\r\n"), Username: user, Password: password}, false, ""},
		{"both away", catalog.Redis{Address: testenv.FreeAddr(t), ReplicaAddress: testenv.FreeAddr(t)}, false, "and its replica: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := open(t, tt.redis).Exists(t.Context(), "cluster/main").Result()
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
		rdb := open(t, catalog.Redis{Address: s.Addr, ReplicaAddress: replica.Addr, Username: user, Password: password})
		if got, err := rdb.Exists(t.Context(), "cluster/main").Result(); err != nil || got != 1 {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("the main server is written, whatever the replica", func(t *testing.T) {
		rdb, err := catalog.Redis{Address: s.Addr, ReplicaAddress: replica.Addr, Username: user, Password: password}.Open()
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
	for name, r := range map[string]catalog.Redis{
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
		"a file of certificates that is none":  {CACert: empty, Password: "SECRET"},
		"a file of certificates that is empty": {CACert: os.DevNull},
		"no file of certificates":              {CACert: empty + "x"},
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
	for want, r := range map[string]catalog.Redis{
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

// certificate makes a self-signed one for 127.0.0.1.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER)
}
