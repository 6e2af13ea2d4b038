package servers

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
	ModuleID    = "bench1"
	moduleUUID  = "3e2d1c0b-5a49-4c8d-9e7f-0123456789ab"
	Repository  = "bench/" + moduleUUID
	Destination = "7f6e5d4c-3b2a-4190-8f7e-6d5c4b3a2918"

	// The repository of many objects, which the module may read by a grant.
	longUUID       = "9a8b7c6d-5e4f-4302-8110-fedcba987654"
	LongRepository = "bench/" + longUUID

	Password = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
	NodeUser = "node/1"
)

// PlainDestination keeps nothing of what is deleted.
const PlainDestination = "1a2b3c4d-5e6f-4708-9a0b-c1d2e3f40516"

// A Contestant is a kind of server that can serve a directory.
type Contestant struct {
	Name string
	// Start serves what lies in storage.
	Start func(ctx context.Context, storage Storage) (*Server, error)
	// S3 reports whether it can serve S3, too.
	S3 bool
}

// A Storage is where repositories lie: a local directory or, where bucket is
// set, a bucket of an S3 server.
type Storage struct {
	Dir      string
	Endpoint string
	Bucket   string
	// certificate is a file with that of the endpoint, where it speaks TLS.
	certificate string
}

// Trust is the environment that makes a program written in Go accept it.
func (s Storage) Trust() []string {
	if s.certificate == "" {
		return nil
	}
	return []string{"SSL_CERT_FILE=" + s.certificate}
}

// A Server is a contestant that runs, and a client of it.
type Server struct {
	*Process
	Client *restclient.Client
	Behind *Process      // what it passes everything on to, if anything
	Took   time.Duration // from the start until it was ready, of a gateway
}

// Stop ends it, and what it stands before.
func (s *Server) Stop() {
	s.Client.Close()
	s.Process.Stop()
	if s.Behind != nil {
		s.Behind.Stop()
	}
}

// Connections is how many idle connections a client keeps: enough for all modes.
const Connections = 64

// Gateway is the gateway, which reads Redis.
func Gateway(binary string, r *Redis) Contestant {
	start := func(ctx context.Context, at Storage) (*Server, error) {
		if err := r.describe(ctx, at); err != nil {
			return nil, err
		}
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		env := append(at.Trust(), "REDIS_ADDRESS="+r.addr, "REDIS_USER="+NodeUser, "REDIS_PASSWORD="+Password, "NODE_ID=1")
		began := time.Now()
		p, err := startProcess(ctx, addr, env, binary, "serve", "--addr", addr)
		if err != nil {
			return nil, err
		}
		s := &Server{Process: p, Client: restclient.New("http://"+addr+"/"+Destination+"/"+Repository+"/", "module/"+ModuleID, Password, Connections)}
		err = Poll(ctx, startTime, func() error {
			return s.Client.Ready(ctx, "http://"+addr+"/-/ready")
		})
		if err != nil {
			s.Stop()
			return nil, fmt.Errorf("%w\n%s", err, p.Output)
		}
		s.Took = time.Since(began)
		return s, nil
	}
	return Contestant{Name: "gateway", Start: start, S3: true}
}

// RestServer is restic's own server.
func RestServer(binary string) Contestant {
	start := func(ctx context.Context, at Storage) (*Server, error) {
		hash, err := bcrypt.GenerateFromPassword([]byte(Password), 5) // htpasswd's default cost
		if err != nil {
			return nil, err
		}
		htpasswd := filepath.Join(filepath.Dir(at.Dir), "htpasswd")
		if err := os.WriteFile(htpasswd, fmt.Appendf(nil, "%s:%s\n", ModuleID, hash), 0o600); err != nil {
			return nil, err
		}
		return startPlain(ctx, binary, nil, func(addr string) []string {
			return []string{"--path", at.Dir, "--listen", addr, "--htpasswd-file", htpasswd}
		})
	}
	return Contestant{Name: "rest-server", Start: start}
}

// Rclone is "rclone serve restic".
func Rclone(binary string) Contestant {
	start := func(ctx context.Context, at Storage) (*Server, error) {
		// A remote from the environment; no configuration file.
		env := append(at.Trust(), "RCLONE_CONFIG=")
		remote := at.Dir
		if at.Bucket != "" {
			remote = "bench:" + at.Bucket
			for key, value := range s3Section(at) {
				env = append(env, "RCLONE_CONFIG_BENCH_"+key+"="+value)
			}
		}
		return startPlain(ctx, binary, env, func(addr string) []string {
			return []string{"serve", "restic", "--addr", addr, "--user", ModuleID, "--pass", Password, remote}
		})
	}
	return Contestant{Name: "rclone serve restic", Start: start, S3: true}
}

// startPlain starts a server that knows users and directories, and no more.
func startPlain(ctx context.Context, binary string, env []string, args func(addr string) []string) (*Server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p, err := startProcess(ctx, addr, env, binary, args(addr)...)
	if err != nil {
		return nil, err
	}
	return &Server{Process: p, Client: restclient.New("http://"+addr+"/"+Repository+"/", ModuleID, Password, Connections)}, nil
}
