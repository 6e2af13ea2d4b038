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

func TestWithoutAReplicaTheServerToWriteToIsRead(t *testing.T) {
	vars := map[string]string{"REDIS_ADDRESS": "10.0.0.1:6400"}
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"standalone":      {nil, "10.0.0.1:6400"},
		"on NethServer 8": {map[string]string{"core.env": ""}, "127.0.0.1:6379"},
		"a replica":       {map[string]string{"node.env": "REDIS_REPLICA_ADDRESS=10.0.0.2:6400\n"}, "10.0.0.2:6400"},
	} {
		if got, err := testEnvironment(t, vars, test.files).RedisReplica(); err != nil || got.Address != test.want {
			t.Errorf("%s: it reads from %s, %v; want %s", name, got.Address, err, test.want)
		}
	}
}
