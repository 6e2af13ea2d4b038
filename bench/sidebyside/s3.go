package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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
	if err := os.MkdirAll(filepath.Join(dir, s3Bucket), 0o700); err != nil {
		return nil, "", err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	env := []string{"MINIO_ROOT_USER=" + s3Key, "MINIO_ROOT_PASSWORD=" + s3Secret, "MINIO_BROWSER=off"}
	p, err := startProcess(ctx, addr, env, minio, "server", "--quiet", "--address", addr, dir)
	if err != nil {
		return nil, "", err
	}
	endpoint := "http://" + addr
	ready := newClient(endpoint, "", "", 1)
	defer ready.close()
	err = poll(ctx, startTime, func() error {
		return ready.ready(ctx, endpoint+"/minio/health/live")
	})
	if err != nil {
		p.stop()
		return nil, "", fmt.Errorf("%w\n%s", err, p.output)
	}
	return p, endpoint, nil
}
