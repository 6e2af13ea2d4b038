package host

import (
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

func TestAContainerSeesTheFilesForTheGateway(t *testing.T) {
	env := testEnvironment(t, map[string]string{
		"RESTIC_CACERT": "/etc/ca.pem,/etc/ca2.pem", "RESTIC_TLS_CLIENT_CERT": "/etc/client.pem", "NS8_GATEWAY_URL": "http+unix:///run/gw.sock:",
	}, nil)
	run := restic.Invocation{Runtime: restic.Podman, Image: "image", Name: "name", Args: []string{"snapshots"}}
	env.ReachGateway(&run)
	argv := strings.Join(run.Argv(), " ")
	for _, want := range []string{
		"--volume=/etc/ca.pem:/etc/ca.pem:ro", "--volume=/etc/ca2.pem:/etc/ca2.pem:ro", "--volume=/etc/client.pem:/etc/client.pem:ro",
		"--volume=/run/gw.sock:/run/gw.sock:ro", "image --cacert=/etc/ca.pem --cacert=/etc/ca2.pem --tls-client-cert=/etc/client.pem snapshots",
	} {
		if !strings.Contains(argv, want) {
			t.Errorf("%s lacks %s", argv, want)
		}
	}
	if got := env.GatewayURL() + "/d/a/u"; got != "http+unix:///run/gw.sock:/d/a/u" {
		t.Errorf("the repository is %s", got)
	}
}
