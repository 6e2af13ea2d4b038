package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/runs"
)

// digest is the data for a digest.
type digest struct {
	*observation
	*facts

	host     string
	schedule string   // the only one it covers; "" is all
	notes    []string // about the notifications themselves
}

// report renders the digest.
func (d *digest) report() *message.Report {
	lines := of(d.overview.Modules, d.schedule)
	verdict := d.overview
	if d.schedule != "" {
		verdict = runs.Judge(lines)
	}
	if d.redis != nil {
		verdict.Verdict = "it is not known how the backups are, since Redis does not answer"
	}
	r := &message.Report{Kind: message.Digest, Level: message.Good, Host: d.host, At: d.now, Verdict: verdict.Verdict}
	attention, others := d.attention(r)
	switch {
	case !verdict.OK:
		r.Level = message.Bad
	case others > 0 && d.redis == nil:
		r.Level = message.Warning
		r.Verdict += fmt.Sprintf(", but see %d other %s", others, plural(others, "thing", "things"))
	}
	if d.schedule != "" && len(lines) > 0 {
		r.Verdict = lines[0].Name + ": " + r.Verdict
	}
	r.Add("Needs attention", attention)
	r.Add("Backups", d.schedules(lines))
	r.Add("Grew most in 7 days", d.growers(lines))
	r.Add("Storage", d.storage())
	r.Add("Proof", []message.Row{
		proof("Checked", lines, func(l *runs.Line) time.Time { return l.Checked }),
		proof("Proven restorable", lines, func(l *runs.Line) time.Time { return l.Proven }),
	})
	r.Add("Audit log", d.auditRows())
	var notes []message.Row
	for _, note := range d.notes {
		notes = append(notes, message.Row{Level: message.Warning, Title: note})
	}
	r.Add("Messages", notes)
	return r
}

// attention lists the problems, and counts those that concern no module.
func (d *digest) attention(r *message.Report) (rows []message.Row, others int) {
	for i := range d.conditions {
		c := &d.conditions[i]
		mine := d.schedule == "" || strings.HasPrefix(c.key, ofModule+d.schedule+"/")
		if c.trouble == "" || !mine {
			continue
		}
		if c.module == "" {
			others++
		}
		it := item{fails, *c}
		row := it.row()
		if c.since.IsZero() {
			row.Note = c.note
		}
		rows = append(rows, row)
		r.Problems = append(r.Problems, message.Problem{Module: c.module, Schedule: c.schedule, What: it.problem(), Since: c.since})
	}
	return rows, others
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// schedules returns a row for each schedule.
func (d *digest) schedules(lines []runs.Line) []message.Row {
	var rows []message.Row
	var order []string
	mine := map[string][]runs.Line{}
	for _, l := range lines {
		if mine[l.Schedule] == nil {
			order = append(order, l.Schedule)
		}
		mine[l.Schedule] = append(mine[l.Schedule], l)
	}
	slices.Sort(order)
	for _, id := range order {
		var bytes, added uint64
		var change int64
		good := 0
		next := time.Time{}
		for _, l := range mine[id] {
			g := d.grown[[2]string{id, l.Module}]
			bytes, added, change = bytes+l.Bytes, added+g.added, change+g.change
			next = l.Next
			if l.OK {
				good++
			}
		}
		row := message.Row{
			Level: message.Good, Title: mine[id][0].Name,
			Detail: fmt.Sprintf("%d of %d backed up, %s (%s in 7 days)", good, len(mine[id]), host.FormatBytes(bytes), signed(change)),
			Note:   host.FormatBytes(added) + " added to the storage in 7 days",
		}
		if good < len(mine[id]) {
			row.Level = message.Bad
		}
		if !next.IsZero() {
			row.Note += "; next run " + message.When(next)
		}
		rows = append(rows, row)
	}
	return rows
}

func signed(n int64) string {
	if n < 0 {
		return "-" + host.FormatBytes(uint64(-n))
	}
	return "+" + host.FormatBytes(uint64(n))
}

// growers returns the modules whose backups grew most.
func (d *digest) growers(lines []runs.Line) []message.Row {
	const most = 3
	grown := func(l *runs.Line) growth { return d.grown[[2]string{l.Schedule, l.Module}] }
	sorted := slices.Clone(lines)
	slices.SortStableFunc(sorted, func(a, b runs.Line) int { return cmp.Compare(grown(&b).change, grown(&a).change) })
	var rows []message.Row
	for i := range sorted {
		l := &sorted[i]
		if g := grown(l); g.change > 0 && len(rows) < most {
			rows = append(rows, message.Row{Title: l.Module + " (" + l.Name + ")", Detail: fmt.Sprintf("%s, %s", host.FormatBytes(l.Bytes), signed(g.change))})
		}
	}
	return rows
}

// storage returns a row for each destination.
func (d *digest) storage() []message.Row {
	if d.noSpace != "" {
		return []message.Row{{Level: message.Warning, Title: "The space is not known", Detail: d.noSpace}}
	}
	var rows []message.Row
	for i := range d.destinations {
		rows = append(rows, spaceOf(&d.destinations[i]))
	}
	return rows
}

func spaceOf(p *gatewayadmin.Destination) message.Row {
	row := message.Row{Title: p.Name, Detail: "it does not say how much is free"}
	if p.Space == nil {
		return row
	}
	if p.Space.Free != nil {
		row.Detail = host.FormatBytes(uint64(max(0, *p.Space.Free))) + " free"
		if p.Space.Total != nil {
			row.Detail += " of " + host.FormatBytes(uint64(max(0, *p.Space.Total)))
		}
	}
	if p.Space.Daily != nil {
		row.Note = signed(*p.Space.Daily) + " a day"
		if p.Space.Full != "" {
			row.Note += ", full on " + p.Space.Full
		} else {
			row.Note += ", not full within two years"
		}
	}
	if p.Level == "warning" || p.Level == "bad" {
		row.Level = message.Warning
	}
	return row
}

// proof says when something was last done, and for what it never was.
func proof(title string, lines []runs.Line, at func(*runs.Line) time.Time) message.Row {
	var last, oldest *runs.Line
	never := 0
	for i := range lines {
		l := &lines[i]
		switch when := at(l); {
		case when.IsZero():
			never++
		default:
			if last == nil || when.After(at(last)) {
				last = l
			}
			if oldest == nil || when.Before(at(oldest)) {
				oldest = l
			}
		}
	}
	row := message.Row{Title: title, Detail: "never"}
	if last == nil {
		return row
	}
	row.Detail = "last " + last.Module + ", " + message.When(at(last))
	if oldest != last {
		row.Note = "the longest ago: " + oldest.Module + ", " + message.When(at(oldest))
	}
	if never > 0 {
		row.Note = strings.TrimPrefix(row.Note+fmt.Sprintf("; never: %d", never), "; ")
	}
	return row
}

func (d *digest) auditRows() []message.Row {
	var rows []message.Row
	for _, a := range d.audits {
		at := a.at
		if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
			at = message.When(t)
		}
		rows = append(rows, message.Row{Title: "Node " + a.node, Detail: a.head, Note: at})
	}
	return rows
}
