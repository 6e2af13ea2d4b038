package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/restclient"
)

// Who calls, and what: the same for all servers, in the form each can have it.
const (
	moduleID    = "bench1"
	moduleUUID  = "3e2d1c0b-5a49-4c8d-9e7f-0123456789ab"
	repository  = "bench/" + moduleUUID
	destination = "7f6e5d4c-3b2a-4190-8f7e-6d5c4b3a2918"

	// The repository of many objects, which the module may read by a grant.
	longUUID       = "9a8b7c6d-5e4f-4302-8110-fedcba987654"
	longRepository = "bench/" + longUUID

	password = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
	nodeUser = "node/1"
)

// plainDestination keeps nothing of what is deleted.
const plainDestination = "1a2b3c4d-5e6f-4708-9a0b-c1d2e3f40516"

// A contestant is a kind of server that can serve a directory.
type contestant struct {
	name string
	// start serves what lies in storage.
	start func(ctx context.Context, storage storage) (*server, error)
	// s3 reports whether it can serve S3, too.
	s3 bool
}

// A storage is where repositories lie: a local directory or, where bucket is
// set, a bucket of an S3 server.
type storage struct {
	dir      string
	endpoint string
	bucket   string
	// certificate is a file with that of the endpoint, where it speaks TLS.
	certificate string
}

// trust is the environment that makes a program written in Go accept it.
func (s storage) trust() []string {
	if s.certificate == "" {
		return nil
	}
	return []string{"SSL_CERT_FILE=" + s.certificate}
}

// A server is a contestant that runs, and a client of it.
type server struct {
	*process
	client *restclient.Client
	behind *process      // what it passes everything on to, if anything
	took   time.Duration // from the start until it was ready, of a gateway
}

func (s *server) stop() {
	s.client.Close()
	s.process.stop()
	if s.behind != nil {
		s.behind.stop()
	}
}

// connections is how many idle connections a client keeps: enough for all modes.
const connections = 64

func gatewayContestant(binary string, r *redisServer) contestant {
	start := func(ctx context.Context, at storage) (*server, error) {
		if err := r.describe(ctx, at); err != nil {
			return nil, err
		}
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		env := append(at.trust(), "REDIS_ADDRESS="+r.addr, "REDIS_USER="+nodeUser, "REDIS_PASSWORD="+password, "NODE_ID=1")
		began := time.Now()
		p, err := startProcess(ctx, addr, env, binary, "serve", "--addr", addr)
		if err != nil {
			return nil, err
		}
		s := &server{process: p, client: restclient.New("http://"+addr+"/"+destination+"/"+repository+"/", "module/"+moduleID, password, connections)}
		err = poll(ctx, startTime, func() error {
			return s.client.Ready(ctx, "http://"+addr+"/-/ready")
		})
		if err != nil {
			s.stop()
			return nil, fmt.Errorf("%w\n%s", err, p.output)
		}
		s.took = time.Since(began)
		return s, nil
	}
	return contestant{name: "gateway", start: start, s3: true}
}

func restServerContestant(binary string) contestant {
	start := func(ctx context.Context, at storage) (*server, error) {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), 5) // htpasswd's default cost
		if err != nil {
			return nil, err
		}
		htpasswd := filepath.Join(filepath.Dir(at.dir), "htpasswd")
		if err := os.WriteFile(htpasswd, fmt.Appendf(nil, "%s:%s\n", moduleID, hash), 0o600); err != nil {
			return nil, err
		}
		return startPlain(ctx, binary, nil, func(addr string) []string {
			return []string{"--path", at.dir, "--listen", addr, "--htpasswd-file", htpasswd}
		})
	}
	return contestant{name: "rest-server", start: start}
}

func rcloneContestant(binary string) contestant {
	start := func(ctx context.Context, at storage) (*server, error) {
		// A remote from the environment; no configuration file.
		env := append(at.trust(), "RCLONE_CONFIG=")
		remote := at.dir
		if at.bucket != "" {
			remote = "bench:" + at.bucket
			for key, value := range s3Section(at) {
				env = append(env, "RCLONE_CONFIG_BENCH_"+key+"="+value)
			}
		}
		return startPlain(ctx, binary, env, func(addr string) []string {
			return []string{"serve", "restic", "--addr", addr, "--user", moduleID, "--pass", password, remote}
		})
	}
	return contestant{name: "rclone serve restic", start: start, s3: true}
}

// startPlain starts a server that knows users and directories, and no more.
func startPlain(ctx context.Context, binary string, env []string, args func(addr string) []string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p, err := startProcess(ctx, addr, env, binary, args(addr)...)
	if err != nil {
		return nil, err
	}
	return &server{process: p, client: restclient.New("http://"+addr+"/"+repository+"/", moduleID, password, connections)}, nil
}
