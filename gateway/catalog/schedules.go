package catalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Schedule says which modules are to be backed up to which destination. One that is
// turned off is left out.
type Schedule struct {
	ID          string
	Destination string
	Modules     []string // by ID, some of which may be gone
}

// maxSchedules bounds how many schedules are asked for: the newest.
const maxSchedules = 500

// scheduleIDs are those that a schedule may have, given the counter that they are
// taken from.
func scheduleIDs(last string) []string {
	n, err := strconv.Atoi(last)
	if err != nil {
		return nil
	}
	var ids []string
	for ; n > 0 && len(ids) < maxSchedules; n-- {
		ids = append(ids, strconv.Itoa(n))
	}
	return ids
}

// readSchedules keeps the schedules that are turned on, in the order of their numbers.
func (l *loader) readSchedules(second *details) {
	for id, cmd := range second.schedules {
		fields := texts(cmd.Val())
		if len(fields) != 3 || fields[0] == "" || fields[1] != "1" {
			continue
		}
		modules := slices.Compact(slices.Sorted(strings.FieldsSeq(fields[2])))
		l.snapshot.Schedules = append(l.snapshot.Schedules, Schedule{ID: id, Destination: fields[0], Modules: modules})
	}
	slices.SortFunc(l.snapshot.Schedules, func(a, b Schedule) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID))
	})
}

// texts are the values of a reply to HMGET; those that are missing are empty.
func texts(values []any) []string {
	fields := make([]string, len(values))
	for i, value := range values {
		fields[i], _ = value.(string)
	}
	return fields
}

// readModuleNodes tells each module the node that it runs on.
func (l *loader) readModuleNodes(first *lists) {
	for id, node := range first.moduleNodes.Val() {
		if p := l.snapshot.Principals["module/"+id]; p != nil {
			p.Node = node
		}
	}
}
