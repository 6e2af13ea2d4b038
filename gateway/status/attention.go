package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// attention returns everything that somebody should look at, worst first.
func (b *builder) attention(f *Facts) []Attention {
	all := b.redisAttention(f)
	for i := range f.Destinations {
		all = append(all, destinationAttention(&f.Destinations[i])...)
	}
	for i := range f.Modules {
		all = append(all, b.moduleAttention(f, &f.Modules[i])...)
	}
	for i := range f.Gateways {
		if g := &f.Gateways[i]; g.Level == Bad {
			all = append(all, Attention{
				ID: "gateway/" + g.Node, Level: Bad, What: fmt.Sprintf("The gateway of node %s has not been heard of since %s", g.Node, b.when(g.Seen)),
				Do: "See on that node whether rclone-gateway runs, and what its log says.",
			})
		}
	}
	slices.SortStableFunc(all, func(a, b Attention) int {
		return cmp.Compare(severity[b.Level], severity[a.Level])
	})
	if all == nil {
		all = []Attention{}
	}
	return all
}

// when formats a time for a sentence.
func (b *builder) when(at *time.Time) string {
	if at == nil || at.IsZero() {
		return "an unknown time"
	}
	return at.In(b.book.zone).Format("2 January 15:04")
}

func (b *builder) redisAttention(f *Facts) (all []Attention) {
	switch {
	case b.src.View == nil:
		return []Attention{{
			ID: "redis", Level: Bad, What: "Redis has not been read since this gateway started, so that it serves nothing",
			Do: "Run rclone-gateway check-config on this host: it says what is wrong with the connection to Redis.",
		}}
	case !f.Redis.Ready:
		all = append(all, Attention{
			ID: "redis", Level: Warning, What: "Redis cannot be read: what is shown is from " + b.when(f.Redis.Loaded) + ". Backups go on meanwhile",
			Do: "See whether Redis runs; rclone-gateway check-config on this host says more.",
		})
	case f.Redis.Error != "":
		all = append(all, Attention{
			ID: "history", Level: Warning, What: "The history of runs cannot be read: what is shown is from " + b.when(f.Redis.Read),
			Do: "See whether Redis runs, and whether the gateway's user may read node/*.",
		})
	}
	if n := len(f.Redis.Warnings); n > 0 {
		all = append(all, Attention{
			ID: "left-out", Level: Warning, What: counted(n, "entry of Redis is malformed and left out", "entries of Redis are malformed and left out"),
			Do: "The page about gateways names each: correct it, or remove it.",
		})
	}
	return all
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func destinationAttention(d *Destination) (all []Attention) {
	add := func(what, do string) {
		all = append(all, Attention{ID: "destination/" + d.ID + "/" + d.State, Level: Bad, What: what, Do: do, Destination: d.ID})
	}
	check := "Run gatewayctl destination check " + d.ID + ": it names what is wrong."
	switch {
	case d.State == StateBroken:
		add("Destination "+d.Name+" cannot be used: "+d.Reason, "Correct its entry with gatewayctl destination alter.")
	case d.State == StateFails:
		add("Destination "+d.Name+" fails: the last request there did not work", check)
	case d.State == StateUnreached:
		add("Destination "+d.Name+" is not reached from this node", check)
	case d.State == StatePeer && d.Level == Bad:
		add("Destination "+d.Name+" is on the disk of node "+d.Node+", which does not answer", "See whether that node and its gateway run.")
	}
	if d.Space != nil && d.Space.Full != "" && d.Level != Good {
		all = append(all, Attention{
			ID: "space/" + d.ID, Level: Warning, What: "Destination " + d.Name + " will be full on " + d.Space.Full + ", if it goes on like this",
			Do: "Give it more space, keep fewer snapshots, or prune; gatewayctl destination list shows the sizes.", Destination: d.ID,
		})
	}
	return all
}

func (b *builder) moduleAttention(f *Facts, m *Module) (all []Attention) {
	if len(m.Protections) == 0 {
		return []Attention{{
			ID: "unscheduled/" + m.ID, Level: Warning, What: m.Name + " is in no schedule: it is not backed up",
			Do: "Add it to a schedule, if it has anything to back up.", Module: m.Path(),
		}}
	}
	for i := range m.Protections {
		p := &m.Protections[i]
		where := p.Destination
		if d := f.Destination(p.Destination); d != nil {
			where = d.Name
		}
		add := func(kind string, level Level, what, do string) {
			all = append(all, Attention{
				ID: kind + "/" + m.ID + "/" + p.Schedule + "/" + occasion(p), Level: level, What: what, Do: do, Module: m.Path(), Destination: p.Destination,
			})
		}
		b.backupAttention(m, p, where, add)
		for i := range p.Last {
			run := &p.Last[i]
			if run.Kind == Backup || run.Outcome != Failed && run.Outcome != Missed {
				continue
			}
			level := Warning
			if run.Outcome == Failed && (run.Kind == Check || run.Kind == Drill) {
				level = Bad
			}
			add(string(run.Kind), level, fmt.Sprintf("%s of %s at %s %s on %s%s", kindWords[run.Kind], m.Name, where, run.Outcome, b.when(&run.Ended), because(run)),
				kindAdvice[run.Kind])
		}
	}
	return all
}

// occasion identifies the run in question.
func occasion(p *Protection) string {
	if last := p.LastOf(Backup); last != nil {
		return last.ID
	}
	return "never"
}

var kindWords = map[Kind]string{
	Backup: "Backup", Retention: "Forgetting old snapshots", Prune: "Freeing space", Check: "The check of the repository", Drill: "The restore drill",
}

var kindAdvice = map[Kind]string{
	Retention: "Old snapshots are kept until it works; the page of the module shows what was said.",
	Prune:     "Space is not freed until it works; the page of the module shows what was said.",
	Check:     "Run restic check on the repository before you rely on it; the page of the module shows what was said.",
	Drill:     "Restore it by hand to a place of its own, and see what is missing; the page of the module shows what was said.",
}

// backupAttention describes what is wrong with the backups of a module at a destination.
func (b *builder) backupAttention(m *Module, p *Protection, where string, add func(kind string, level Level, what, do string)) {
	last := p.LastOf(Backup)
	since := "There is no backup yet"
	if done := p.LastDoneOf(Backup); done != nil {
		since = "The last good one is of " + b.when(&done.Ended)
	}
	logs := " The page of the module shows more."
	switch p.Outcome {
	case Failed:
		add("failed", Bad, fmt.Sprintf("The backup of %s to %s failed on %s%s", m.Name, where, b.when(&last.Ended), because(last)),
			since+". Mend what the error names, then run it again, or wait for the next time."+logs)
	case Missed:
		add("missed", Bad, fmt.Sprintf("The backup of %s to %s was missed on %s: nobody ran it", m.Name, where, b.when(&last.Ended)),
			since+". See whether the timer or the scheduler of node "+cmp.Or(m.Node, last.Node)+" runs.")
	case Overdue:
		add("overdue", Bad, fmt.Sprintf("The backup of %s to %s is overdue", m.Name, where),
			since+". See whether the timer or the scheduler of node "+cmp.Or(m.Node, last.Node)+" runs.")
	case Partial:
		lacks := ""
		if len(last.Missing) > 0 {
			lacks = ": it lacks " + strings.Join(last.Missing[:min(3, len(last.Missing))], ", ")
		}
		add("partial", Warning, fmt.Sprintf("The backup of %s to %s on %s is not complete%s", m.Name, where, b.when(&last.Ended), lacks),
			"Make the files readable for the module, or exclude them."+logs)
	case None:
		add("none", Warning, fmt.Sprintf("No backup of %s to %s is known yet", m.Name, where), "If its time has passed, see whether the timer or the scheduler runs.")
	case Skipped:
		add("skipped", Warning, fmt.Sprintf("The backup of %s to %s was skipped on %s%s", m.Name, where, b.when(&last.Ended), because(last)), since+"."+logs)
	}
	if p.Paused {
		add("paused", Warning, fmt.Sprintf("Backups of %s to %s are paused", m.Name, where), "Resume the schedule when you want them again.")
	}
}

// because returns the reason of a run, for the end of a sentence.
func because(run *Run) string {
	if run.Error == "" {
		return ""
	}
	return ": " + strings.TrimRight(run.Error, ". \n")
}

// verdict says whether the backups are in order.
func verdict(f *Facts) Verdict {
	bad, warnings, noticed := 0, 0, 0
	for i := range f.Attention {
		switch {
		case f.Attention[i].Noticed != nil:
			noticed++
		case f.Attention[i].Level == Bad:
			bad++
		default:
			warnings++
		}
	}
	switch {
	case bad > 0:
		return Verdict{Bad, counted(bad, "thing is wrong", "things are wrong")}
	case warnings > 0:
		return Verdict{Warning, counted(warnings, "thing needs a look", "things need a look")}
	case noticed > 0:
		return Verdict{Warning, "Nothing new is wrong; " + counted(noticed, "thing is acknowledged", "things are acknowledged")}
	case f.Counts.Modules == 0:
		return Verdict{Unknown, "There are no modules yet"}
	}
	return Verdict{Good, "All backups are fine"}
}
