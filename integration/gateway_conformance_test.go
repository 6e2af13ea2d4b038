package integration

import (
	"fmt"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// TestConformance holds whole gateways to the contract of a store, each with
// another kind of destination.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name        string
		destination func(t *testing.T) func(id string) redistest.Destination
		options     []storetest.Option
	}{
		{"local", localDestinations, nil},
		{"memory", memoryDestinations, []storetest.Option{storetest.WithoutDirectories()}},
		{"S3", s3Destinations, rcloneOptions},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			// Each subtest wants an empty store, so each gets a destination.
			destination := kind.destination(t)
			ids := make([]string, 40)
			for i := range ids {
				ids[i] = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
				c.AddDestinations(destination(ids[i]))
			}
			g := c.serve(t)
			storetest.Run(t, func(t *testing.T) storage.Store {
				t.Helper()
				if len(ids) == 0 {
					t.Fatal("more subtests than destinations")
				}
				id := ids[0]
				ids = ids[1:]
				return storetest.HTTP(g.url+"/"+id, "node/1", redistest.Password("node/1"))
			}, append(kind.options, storetest.OverHTTP())...)
		})
	}
}

func localDestinations(t *testing.T) func(id string) redistest.Destination {
	return func(id string) redistest.Destination {
		dir := t.TempDir()
		return redistest.Destination{
			ID: id, Provider: "rclone", URL: "rclone:local:" + dir, BasePath: dir,
			RcloneConf: "[" + id + "]\ntype = local\n",
		}
	}
}

func memoryDestinations(*testing.T) func(id string) redistest.Destination {
	return func(id string) redistest.Destination {
		return redistest.Destination{
			ID: id, Provider: "rclone", URL: "rclone:memory:" + id, BasePath: "conformance-" + id + "/backups",
			RcloneConf: "[" + id + "]\ntype = memory\n",
		}
	}
}

func s3Destinations(t *testing.T) func(id string) redistest.Destination {
	endpoint := startRclone(t, "s3", t.TempDir(), "--auth-key", s3AccessKey+","+s3SecretKey)
	return func(id string) redistest.Destination { return s3Destination(id, endpoint) }
}
