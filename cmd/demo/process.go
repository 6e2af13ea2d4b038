package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// startGateway runs the gateway for the cluster, and returns when it is ready. It uses the
// port that modules expect, or another one if that is taken.
func startGateway(ctx context.Context, binary string, c *cluster, logFile string) (url string, stop func() error, err error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return "", nil, err
	}
	log, err := os.Create(logFile)
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command(binary, "serve", "--addr", addr)
	cmd.Env = append(cleanEnvironment(),
		"REDIS_ADDRESS="+c.redis.Addr(),
		"REDIS_USER="+node, "REDIS_PASSWORD="+c.passwords[node], "NODE_ID=1", "GATEWAY_LOG_FORMAT=text")
	cmd.Stderr = log
	// Ctrl-C goes to the demo, which then stops the gateway.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start the gateway: %w (make build)", err)
	}
	ended := make(chan struct{})
	var waited error
	go func() {
		waited = cmd.Wait()
		close(ended)
	}()
	stop = func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have exited, which Wait reports
		<-ended
		return errors.Join(waited, log.Close())
	}
	url = "http://" + addr
	if err := awaitReady(ctx, url, ended); err != nil {
		stopped := stop()
		said, _ := os.ReadFile(logFile) // it may have printed nothing
		return "", nil, errors.Join(fmt.Errorf("the gateway does not get ready: %w\n%s", err, said), stopped)
	}
	return url, stop, nil
}

func freeAddr(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:4694")
	if err != nil {
		listener, err = config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func awaitReady(ctx context.Context, url string, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		code, err := ask(ctx, http.MethodGet, url+"/-/ready", "", "")
		if code == http.StatusOK {
			return nil
		}
		select {
		case <-ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-retry.C:
		}
	}
}

// ask sends a request like restic, and returns the status.
func ask(ctx context.Context, method, url, user, password string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Accept", "application/vnd.x.restic.rest.v2")
	if user != "" {
		request.SetBasicAuth(user, password)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// linkClient creates links to the client for its commands in dir.
func linkClient(ctx context.Context, binary, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	absolute, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	output, err := exec.CommandContext(ctx, absolute, "install-links", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("gatewayctl install-links: %w: %s", err, output)
	}
	return nil
}
