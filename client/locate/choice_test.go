package locate

import (
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

func TestTheScheduleWithTheLowestNumberIsMeant(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.SetupNS8()
	for id, instances := range map[string][]string{
		"10": {"mymodule1"}, "9": {"mymodule1", "mymodule2"}, "1": {"mymodule2"}, "100": {"mymodule1"},
	} {
		server.AddSchedule(redistest.Schedule{ID: id, Repository: "destination-" + id, Instances: instances})
	}
	server.AddDestinations(redistest.Destination{ID: "destination-100", Name: "far away", Provider: "rclone"})
	got, elsewhere, err := (&Choice{}).where(t.Context(), server.Admin(), "mymodule1")
	if err != nil || got != "destination-9" || elsewhere != "destination-10, far away" {
		t.Errorf("got %q, elsewhere %q, %v", got, elsewhere, err)
	}
	got, elsewhere, err = (&Choice{Backup: "100"}).where(t.Context(), server.Admin(), "mymodule1")
	if err != nil || got != "destination-100" || elsewhere != "" {
		t.Errorf("got %q, elsewhere %q, %v", got, elsewhere, err)
	}
}
