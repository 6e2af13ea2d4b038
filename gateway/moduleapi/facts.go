package moduleapi

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// Facts returns what a snapshot says about a module.
func Facts(s *catalog.Snapshot, module *catalog.Principal) adminapi.ModuleFacts {
	f := adminapi.ModuleFacts{
		ID: module.ID, Own: slices.Concat([]string{}, module.Own), Granted: slices.Concat([]string{}, module.Granted),
		Schedules: []adminapi.ModuleSchedule{}, Destinations: []adminapi.ModuleDestination{},
	}
	if len(module.Own) > 0 {
		f.UUID = path.Base(module.Own[0])
	}
	for _, list := range []struct {
		schedules []catalog.Schedule
		enabled   bool
	}{{s.Schedules, true}, {s.OffSchedules, false}} {
		for _, schedule := range list.schedules {
			if slices.Contains(schedule.Modules, module.ID) {
				f.Schedules = append(f.Schedules, adminapi.ModuleSchedule{
					ID: schedule.ID, Name: schedule.Name, Enabled: list.enabled, Calendar: schedule.Calendar, Destination: schedule.Destination,
				})
			}
		}
	}
	slices.SortFunc(f.Schedules, func(a, b adminapi.ModuleSchedule) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID))
	})
	for _, d := range s.Destinations {
		f.Destinations = append(f.Destinations, adminapi.ModuleDestination{ID: d.ID, Name: d.Name, Provider: d.Provider})
	}
	slices.SortFunc(f.Destinations, func(a, b adminapi.ModuleDestination) int { return strings.Compare(a.ID, b.ID) })
	return f
}
