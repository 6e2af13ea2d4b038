package live

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// BenchmarkReload loads a large cluster from a real Redis, as each event makes
// the gateway do: 1,000 destinations, none of them open, and 10,000 modules. It
// reports what stays in memory beside the time. After the change of one user the difference
// is read.
func BenchmarkReload(b *testing.B) {
	const destinations, modules = 1_000, 10_000
	server := redistest.Start(b)
	server.SetupNS8()
	installed := make([]redistest.Module, 0, modules)
	for i := range modules {
		installed = append(installed, redistest.Module{
			ID: fmt.Sprintf("mail%d", i+1), UUID: fmt.Sprintf("0b8fbdc4-8d4b-4d1c-9c45-%012d", i), Node: "1",
		})
	}
	for part := range slices.Chunk(installed, 1000) {
		server.AddModules(part...)
	}
	for i := range destinations {
		id := fmt.Sprintf("76d73f29-7446-5baf-a700-%012d", i)
		server.AddDestinations(redistest.Destination{
			ID: id, Name: "bucket", Provider: "aws", URL: "s3:s3.amazonaws.com/bucket/folder",
			RcloneConf: "[" + id + "]\ntype = s3\nprovider = AWS\nregion = eu-central-1\n" +
				"access_key_id = AKIDEXAMPLE\nsecret_access_key = wJalrXUtnFEMI\n",
		})
	}
	rdb, err := catalog.Redis{
		Address: server.Addr, Username: "node/1", Password: redistest.Password("node/1"),
	}.OpenReader()
	if err != nil {
		b.Fatal(err)
	}
	defer rdb.Close()

	kept, err := newTokens(nil, "", discard)
	if err != nil {
		b.Fatal(err)
	}
	before := memory()
	reader := catalog.NewReader(rdb, catalog.LoadOptions{NodeID: "1"})
	var v *View
	b.Run("everything", func(b *testing.B) {
		for b.Loop() {
			snapshot, err := reader.Load(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			v, _ = NewView(v, snapshot, openWith(local.Mark{}, kept), nil, discard)
			kept.register(snapshot)
		}
		b.ReportMetric(float64(memory()-before)/(1<<20), "MiB-kept")
	})
	b.Run("one module changed", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			server.Do("ACL", "SETUSER", "module/mail1", fmt.Sprint(">", i))
			server.SaveACLs()
			b.StartTimer()
			snapshot, ok := reader.LoadUsers(b.Context())
			if !ok {
				b.Fatal("the change of a user was not told as a difference")
			}
			v, _ = NewView(v, snapshot, openWith(local.Mark{}, kept), nil, discard)
		}
	})
	if len(v.Mounts) != destinations || len(v.Snapshot.Principals) != modules+1 {
		b.Fatalf("%d destinations, %d users", len(v.Mounts), len(v.Snapshot.Principals))
	}
}

// memory is what the process keeps on its heap, in bytes.
func memory() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
