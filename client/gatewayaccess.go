package client

import (
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// gatewayFiles are those that restic takes for TLS, with absolute paths: restic runs
// in another directory.
func (e *environment) gatewayFiles() gatehttp.Files {
	var files gatehttp.Files
	for name := range strings.SplitSeq(e.get("RESTIC_CACERT"), ",") {
		if name != "" {
			files.CACerts = append(files.CACerts, absolute(name))
		}
	}
	if name := e.get("RESTIC_TLS_CLIENT_CERT"); name != "" {
		files.ClientCert = absolute(name)
	}
	return files
}

func absolute(name string) string {
	if path, err := filepath.Abs(name); err == nil {
		return path
	}
	return name
}

// gatewayClient is for the client's own requests, which go the way that restic's do.
func (e *environment) gatewayClient(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: gatehttp.Transport(e.gatewayFiles())}
}

// reachGateway gives a run of restic what it needs to reach the gateway.
func (e *environment) reachGateway(run *restic.Invocation) {
	files := e.gatewayFiles()
	run.CACerts, run.ClientCert = files.CACerts, files.ClientCert
	run.Socket = gatehttp.Socket(e.gatewayURL())
}

// socketVersion is the first restic that takes http+unix://.
var socketVersion = restic.Version{0, 17, 0}

// checkSocket refuses a unix socket to a restic that would not understand its URL.
func (e *environment) checkSocket(v restic.Version) error {
	if url := e.gatewayURL(); gatehttp.IsSocket(url) && !v.Has(socketVersion) {
		return failf(exitUsage, "restic %d.%d.%d cannot reach the gateway at %s: unix sockets need restic 0.17 or newer, or let the gateway listen on an address too", v[0], v[1], v[2], url)
	}
	return nil
}

// reachVariables are how others reach the gateway, as far as that was told to us.
func (e *environment) reachVariables() []variable {
	files := e.gatewayFiles()
	vars := []variable{
		{"RESTIC_CACERT", strings.Join(files.CACerts, ",")}, {"RESTIC_TLS_CLIENT_CERT", files.ClientCert},
	}
	given := vars[:0]
	for _, v := range vars {
		if v.value != "" {
			given = append(given, v)
		}
	}
	return given
}
