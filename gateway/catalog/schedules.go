package catalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Schedule says which modules are backed up to which destination, and when.
type Schedule struct {
	ID          string
	Name        string
	Destination string
	Calendar    string
	Modules     []string // by ID; some may no longer exist
}

// maxSchedules bounds how many schedules are read: the newest.
const maxSchedules = 500

// scheduleIDs returns the IDs that schedules can have, given the counter of IDs.
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

// scheduleFields are the fields that are read of a schedule, in order.
var scheduleFields = []string{FieldRepository, FieldEnabled, FieldInstances, "name", "schedule"}

// readSchedules reads the schedules in the order of their numbers. Disabled ones are kept
// separately.
func (l *loader) readSchedules(second *details) {
	for id, cmd := range second.schedules {
		fields := texts(cmd.Val())
		if len(fields) != len(scheduleFields) || fields[0] == "" {
			continue
		}
		modules := slices.Compact(slices.Sorted(strings.FieldsSeq(fields[2])))
		s := Schedule{ID: id, Destination: fields[0], Modules: modules, Name: fields[3], Calendar: fields[4]}
		if fields[1] == "1" {
			l.snapshot.Schedules = append(l.snapshot.Schedules, s)
		} else {
			l.snapshot.OffSchedules = append(l.snapshot.OffSchedules, s)
		}
	}
	slices.SortFunc(l.snapshot.Schedules, byNumber)
	slices.SortFunc(l.snapshot.OffSchedules, byNumber)
}

func byNumber(a, b Schedule) int {
	return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID))
}

// texts returns the values of a reply to HMGET; missing ones are empty.
func texts(values []any) []string {
	fields := make([]string, len(values))
	for i, value := range values {
		fields[i], _ = value.(string)
	}
	return fields
}

// readModuleNodes sets the node that each module runs on.
func (l *loader) readModuleNodes(first *lists) {
	for id, node := range first.moduleNodes.Val() {
		if p := l.snapshot.Principals["module/"+id]; p != nil {
			p.Node = node
		}
	}
}
