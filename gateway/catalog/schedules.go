package catalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Schedule says which modules are to be backed up to which destination, and when.
type Schedule struct {
	ID          string
	Name        string
	Destination string
	Calendar    string
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

// scheduleFields are what is read of a schedule, in this order.
var scheduleFields = []string{FieldRepository, FieldEnabled, FieldInstances, "name", "schedule"}

// readSchedules keeps the schedules in the order of their numbers, those that are turned
// off by themselves.
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
