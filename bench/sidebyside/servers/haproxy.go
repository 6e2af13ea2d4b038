package servers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/restclient"
)

// HAProxy judges who calls as NethServer 8's HAProxy does: by a map from users to
// the SHA-256 digests of their passwords. There is nothing behind it: right callers get 200.
func HAProxy() (Contestant, error) {
	binary, err := Program("haproxy", "apt-get install haproxy")
	if err != nil {
		return Contestant{}, fmt.Errorf("%w: install haproxy", err)
	}
	start := func(ctx context.Context, at Storage) (*Server, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256([]byte(Password))
		users := filepath.Join(filepath.Dir(at.Dir), "users.map")
		if err := os.WriteFile(users, fmt.Appendf(nil, "module/%s %s\n", ModuleID, hex.EncodeToString(sum[:])), 0o600); err != nil {
			return nil, err
		}
		config := filepath.Join(filepath.Dir(at.Dir), "haproxy.cfg")
		if err := os.WriteFile(config, fmt.Appendf(nil, haproxyConfig, addr, users), 0o600); err != nil {
			return nil, err
		}
		p, err := startProcess(ctx, addr, nil, binary, "-db", "-f", config)
		if err != nil {
			return nil, err
		}
		return &Server{Process: p, Client: restclient.New("http://"+addr+"/"+Destination+"/"+Repository+"/", "module/"+ModuleID, Password, Connections)}, nil
	}
	return Contestant{Name: "HAProxy", Start: start}, nil
}

// haproxyConfig takes an address and a file of users.
const haproxyConfig = `
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s

frontend gateway
  bind %s
  http-request set-var(txn.basic) req.hdr(authorization),word(2," "),b64dec
  http-request set-var(txn.user) var(txn.basic),field(1,:)
  http-request set-var(txn.digest) var(txn.basic),field(2,:),sha2(256),hex,lower
  http-request set-var(txn.wanted) var(txn.user),map(%s,none)
  acl right var(txn.digest),strcmp(txn.wanted) eq 0
  http-request auth realm ns8-rclone-gateway unless right
  http-request return status 200
`
