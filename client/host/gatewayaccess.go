package host

import (
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
)

// GatewayFiles are those that restic takes for TLS, with absolute paths: restic runs
// in another directory.
func (e *Environment) GatewayFiles() gatehttp.Files {
	var files gatehttp.Files
	for name := range strings.SplitSeq(e.Get("RESTIC_CACERT"), ",") {
		if name != "" {
			files.CACerts = append(files.CACerts, absolute(name))
		}
	}
	if name := e.Get("RESTIC_TLS_CLIENT_CERT"); name != "" {
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

// GatewayClient is for the client's own requests, which go the way that restic's do.
func (e *Environment) GatewayClient(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: gatehttp.Transport(e.GatewayFiles())}
}

// ReachGateway gives a run of restic what it needs to reach the gateway.
func (e *Environment) ReachGateway(run *restic.Invocation) {
	files := e.GatewayFiles()
	run.CACerts, run.ClientCert = files.CACerts, files.ClientCert
	run.Socket = gatehttp.Socket(e.GatewayURL())
}

// SocketVersion is the first restic that takes http+unix://.
var SocketVersion = restic.Version{0, 17, 0}

// CheckSocket refuses a unix socket to a restic that would not understand its URL.
func (e *Environment) CheckSocket(v restic.Version) error {
	if url := e.GatewayURL(); gatehttp.IsSocket(url) && !v.Has(SocketVersion) {
		return exit.Failf(exit.Usage, "restic %d.%d.%d cannot reach the gateway at %s: unix sockets need restic 0.17 or newer, or let the gateway listen on an address too", v[0], v[1], v[2], url)
	}
	return nil
}

// ReachVariables are how others reach the gateway, as far as that was told to us.
func (e *Environment) ReachVariables() []envfile.Variable {
	files := e.GatewayFiles()
	vars := []envfile.Variable{
		{Name: "RESTIC_CACERT", Value: strings.Join(files.CACerts, ",")}, {Name: "RESTIC_TLS_CLIENT_CERT", Value: files.ClientCert},
	}
	given := vars[:0]
	for _, v := range vars {
		if v.Value != "" {
			given = append(given, v)
		}
	}
	return given
}
