package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/far"
	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/restclient"
)

// Who may come to the S3 servers of the benchmarks, and to which bucket.
const (
	s3Key    = "benchmark"
	s3Secret = "benchmark-secret"
	s3Bucket = "bucket"
)

// s3Section is what rclone must know of the S3 server.
func s3Section(at storage) map[string]string {
	return map[string]string{
		"TYPE":              "s3",
		"PROVIDER":          "Other",
		"ENDPOINT":          at.endpoint,
		"ACCESS_KEY_ID":     s3Key,
		"SECRET_ACCESS_KEY": s3Secret,
	}
}

// startS3 starts the stand-in for S3, with one bucket, in dir.
func startS3(ctx context.Context, rclone, dir string) (*process, string, error) {
	if err := os.Mkdir(filepath.Join(dir, s3Bucket), 0o700); err != nil {
		return nil, "", err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	p, err := startProcess(ctx, addr, []string{"RCLONE_CONFIG="}, rclone,
		"serve", "s3", "--addr", addr, "--auth-key", s3Key+","+s3Secret, dir)
	return p, "http://" + addr, err
}

// startMinIO starts a MinIO with one bucket, in dir.
func startMinIO(ctx context.Context, minio, dir string) (*process, string, error) {
	p, addr, err := runMinIO(ctx, minio, dir, nil)
	if err != nil {
		return nil, "", err
	}
	endpoint := "http://" + addr
	ready := restclient.New(endpoint, "", "", 1)
	defer ready.Close()
	return p, endpoint, awaitMinIO(ctx, p, ready, endpoint)
}

func awaitMinIO(ctx context.Context, p *process, ready *restclient.Client, endpoint string) error {
	err := poll(ctx, startTime, func() error {
		return ready.Ready(ctx, endpoint+"/minio/health/live")
	})
	if err != nil {
		p.stop()
		return fmt.Errorf("%w\n%s", err, p.output)
	}
	return nil
}

func runMinIO(ctx context.Context, minio, dir string, env []string, args ...string) (*process, string, error) {
	if err := os.MkdirAll(filepath.Join(dir, s3Bucket), 0o700); err != nil {
		return nil, "", err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	env = append(env, "MINIO_ROOT_USER="+s3Key, "MINIO_ROOT_PASSWORD="+s3Secret, "MINIO_BROWSER=off")
	args = slices.Concat([]string{"server", "--quiet", "--address", addr}, args, []string{dir})
	p, err := startProcess(ctx, addr, env, minio, args...)
	return p, addr, err
}

// A farStorage is a MinIO at a distance. It speaks TLS, as a storage that is far away does.
type farStorage struct {
	storage

	minio    *process
	requests *far.Requests
	distance *far.Distance
}

// startFar starts one, in dir, from which a round trip takes that long.
func startFar(ctx context.Context, minio, dir string, trip time.Duration) (*farStorage, error) {
	s := new(farStorage)
	if err := s.start(ctx, minio, dir, trip); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *farStorage) start(ctx context.Context, minio, dir string, trip time.Duration) (err error) {
	certificates := filepath.Join(dir, "certificates")
	if err := far.Certify(certificates); err != nil {
		return err
	}
	s.storage = storage{bucket: s3Bucket, certificate: filepath.Join(certificates, far.CertificateFile)}
	if s.requests, err = far.Count(); err != nil {
		return err
	}
	var addr string
	if s.minio, addr, err = runMinIO(ctx, minio, filepath.Join(dir, "storage"), s.requests.Environment(), "--certs-dir", certificates); err != nil {
		return err
	}
	if s.distance, err = far.Start(addr, trip); err != nil {
		return err
	}
	s.endpoint = "https://" + s.distance.Addr()
	ready, err := restclient.NewTrusting(s.endpoint, s.certificate)
	if err != nil {
		return err
	}
	defer ready.Close()
	return awaitMinIO(ctx, s.minio, ready, s.endpoint)
}

func (s *farStorage) stop() {
	if s.distance != nil {
		s.distance.Stop()
	}
	if s.minio != nil {
		s.minio.stop()
	}
	if s.requests != nil {
		s.requests.Stop()
	}
}
