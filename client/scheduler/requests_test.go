package scheduler

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// TestWhatIsAskedForOnThePageRunsOnce has requests of two nodes, on a real Redis with the
// rights of a node's user.
func TestWhatIsAskedForOnThePageRunsOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.SetupNS8()
	server.AddNode("2", "10.5.4.2")
	server.AddModules(redistest.Module{ID: "app1", UUID: "11111111-1111-4111-8111-111111111111"},
		redistest.Module{ID: "app2", UUID: "22222222-2222-4222-8222-222222222222", Node: "2"})
	for id, modules := range map[string][]string{"1": {"app1"}, "2": {"app2"}, "3": {"app1", "app2"}} {
		server.AddSchedule(redistest.Schedule{ID: id, Repository: "d", Instances: modules})
	}
	ask := func(node, schedule string, ago time.Duration) {
		text, err := json.Marshal(request{At: time.Now().Add(-ago), By: "admin/anna"})
		if err != nil {
			t.Fatal(err)
		}
		server.Do("HSET", catalog.RunRequestsKey(node), schedule, text)
	}
	ask("1", "1", 0)
	ask("1", "2", 0)                                         // has no module here
	ask("2", "3", 0)                                         // on the page of the other node
	ask("2", "1", 2*time.Hour)                               // nobody ran it in time
	server.Do("HSET", catalog.RunRequestsKey("1"), "4", "{") // means nothing

	began := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	r := &Requests{Sys: asNode(t, server, time.Now).Sys, Node: "1", Start: func(_ context.Context, id string) Result {
		began <- id
		return Result{}
	}}
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	got := map[string]int{}
	testenv.Until(t, 2*time.Minute, "both to be run", func() bool {
		select {
		case id := <-began:
			got[id]++
		default:
		}
		return got["1"] > 0 && got["3"] > 0
	})
	ask("1", "3", -time.Second) // once more
	testenv.Until(t, 2*time.Minute, "it to be run once more", func() bool {
		select {
		case id := <-began:
			got[id]++
		default:
		}
		return got["3"] > 1
	})
	cancel()
	<-ended
	if got["1"] != 1 || got["3"] != 2 || len(got) != 2 {
		t.Errorf("what ran is %v", got)
	}
}
