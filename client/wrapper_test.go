package client

import (
	"slices"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/wrapper"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

func TestCompareNumbersOrdersIDsByValue(t *testing.T) {
	t.Parallel()
	ids := []string{"10", "2", "x", "1", "a", "18446744073709551616", "02"}
	slices.SortFunc(ids, names.CompareNumbers)
	if want := []string{"1", "02", "2", "10", "18446744073709551616", "a", "x"}; !slices.Equal(ids, want) {
		t.Errorf("got %q, want %q", ids, want)
	}
}

func TestResticWrapperTakesTheScheduleWithTheLowestNumber(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	for id, instances := range map[string][]string{
		"10": {"mymodule1"}, "9": {"mymodule1", "mymodule2"}, "1": {"mymodule2"}, "100": {"mymodule1"},
	} {
		server.AddSchedule(redistest.Schedule{ID: id, Repository: "destination-" + id, Instances: instances})
	}
	got, err := wrapper.WrapperArgs{}.Where(t.Context(), server.Admin(), "mymodule1")
	if err != nil || got != "destination-9" {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = wrapper.WrapperArgs{Backup: "100"}.Where(t.Context(), server.Admin(), "mymodule1")
	if err != nil || got != "destination-100" {
		t.Errorf("got %q, %v", got, err)
	}
}
