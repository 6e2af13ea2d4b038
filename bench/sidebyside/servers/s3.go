package servers

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
	S3Key    = "benchmark"
	S3Secret = "benchmark-secret"
	S3Bucket = "bucket"
)

// s3Section is what rclone must know of the S3 server.
func s3Section(at Storage) map[string]string {
	return map[string]string{
		"TYPE":              "s3",
		"PROVIDER":          "Other",
		"ENDPOINT":          at.Endpoint,
		"ACCESS_KEY_ID":     S3Key,
		"SECRET_ACCESS_KEY": S3Secret,
	}
}

// StartS3 starts the stand-in for S3, with one bucket, in dir.
func StartS3(ctx context.Context, rclone, dir string) (*Process, string, error) {
	if err := os.Mkdir(filepath.Join(dir, S3Bucket), 0o700); err != nil {
		return nil, "", err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	p, err := startProcess(ctx, addr, []string{"RCLONE_CONFIG="}, rclone,
		"serve", "s3", "--addr", addr, "--auth-key", S3Key+","+S3Secret, dir)
	return p, "http://" + addr, err
}

// StartMinIO starts a MinIO with one bucket, in dir.
func StartMinIO(ctx context.Context, minio, dir string) (*Process, string, error) {
	p, addr, err := runMinIO(ctx, minio, dir, nil)
	if err != nil {
		return nil, "", err
	}
	endpoint := "http://" + addr
	ready := restclient.New(endpoint, "", "", 1)
	defer ready.Close()
	return p, endpoint, awaitMinIO(ctx, p, ready, endpoint)
}

func awaitMinIO(ctx context.Context, p *Process, ready *restclient.Client, endpoint string) error {
	err := Poll(ctx, startTime, func() error {
		return ready.Ready(ctx, endpoint+"/minio/health/live")
	})
	if err != nil {
		p.Stop()
		return fmt.Errorf("%w\n%s", err, p.Output)
	}
	return nil
}

func runMinIO(ctx context.Context, minio, dir string, env []string, args ...string) (*Process, string, error) {
	if err := os.MkdirAll(filepath.Join(dir, S3Bucket), 0o700); err != nil {
		return nil, "", err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	env = append(env, "MINIO_ROOT_USER="+S3Key, "MINIO_ROOT_PASSWORD="+S3Secret, "MINIO_BROWSER=off")
	args = slices.Concat([]string{"server", "--quiet", "--address", addr}, args, []string{dir})
	p, err := startProcess(ctx, addr, env, minio, args...)
	return p, addr, err
}

// A Far is a MinIO at a distance. It speaks TLS, as a storage that is far away does.
type Far struct {
	Storage

	Minio    *Process
	Requests *far.Requests
	distance *far.Distance
}

// StartFar starts one, in dir, from which a round trip takes that long.
func StartFar(ctx context.Context, minio, dir string, trip time.Duration) (*Far, error) {
	s := new(Far)
	if err := s.start(ctx, minio, dir, trip); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Far) start(ctx context.Context, minio, dir string, trip time.Duration) (err error) {
	certificates := filepath.Join(dir, "certificates")
	if err := far.Certify(certificates); err != nil {
		return err
	}
	s.Storage = Storage{Bucket: S3Bucket, certificate: filepath.Join(certificates, far.CertificateFile)}
	if s.Requests, err = far.Count(); err != nil {
		return err
	}
	var addr string
	if s.Minio, addr, err = runMinIO(ctx, minio, filepath.Join(dir, "storage"), s.Requests.Environment(), "--certs-dir", certificates); err != nil {
		return err
	}
	if s.distance, err = far.Start(addr, trip); err != nil {
		return err
	}
	s.Endpoint = "https://" + s.distance.Addr()
	ready, err := restclient.NewTrusting(s.Endpoint, s.certificate)
	if err != nil {
		return err
	}
	defer ready.Close()
	return awaitMinIO(ctx, s.Minio, ready, s.Endpoint)
}

// Stop ends what was started of it.
func (s *Far) Stop() {
	if s.distance != nil {
		s.distance.Stop()
	}
	if s.Minio != nil {
		s.Minio.Stop()
	}
	if s.Requests != nil {
		s.Requests.Stop()
	}
}
