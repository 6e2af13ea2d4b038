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
	got, err := (&Choice{}).where(t.Context(), server.Admin(), "mymodule1")
	if err != nil || got != "destination-9" {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = (&Choice{Backup: "100"}).where(t.Context(), server.Admin(), "mymodule1")
	if err != nil || got != "destination-100" {
		t.Errorf("got %q, %v", got, err)
	}
}
