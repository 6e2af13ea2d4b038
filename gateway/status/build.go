package status

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/peer"
	"github.com/rclone-gateway/rclone-gateway/internal/version"
)

// Sources are the inputs of facts.
type Sources struct {
	Time time.Time
	// View is the last view, regardless of its age; nil before the first.
	View *live.View
	// Ready and MaxAge describe the state of the view.
	Ready  bool
	MaxAge time.Duration
	// Node is the ID of this node, Started when this gateway started.
	Node    string
	Started time.Time
	Book    *Book
	Peers   []peer.Status
	// Newest, if set, returns the latest receipt of a snapshot that this gateway knows of;
	// zero if none.
	Newest func(destination, repo string) time.Time
	Trends *Trends // nil: unknown
	Events []Event
	// Failures are failed logins.
	Failures []Failure
}

// New computes the facts.
func New(src Sources) *Facts {
	b := builder{src: src, book: src.Book}
	if b.book == nil {
		b.book = &Book{zone: time.Local}
	}
	f := &Facts{
		Time: src.Time, Zone: b.book.zone, Runs: b.book.recent, Live: sortLive(slices.Clone(b.book.live)), Events: src.Events, Failures: src.Failures,
		Modules: []Module{}, Destinations: []Destination{}, Schedules: []Schedule{}, Gateways: []Gateway{}, Attention: []Attention{},
	}
	if src.View != nil {
		f.Schedules = b.schedules()
		f.Modules = b.modules()
		f.Destinations = b.destinations(f.Modules)
		f.Gateways = b.gateways()
	}
	f.Redis = b.redis()
	f.Counts = b.counts(f)
	f.Attention = b.attention(f)
	notice(f.Attention, b.book.noticed)
	f.Verdict = verdict(f)
	return f
}

// builder builds facts.
type builder struct {
	src  Sources
	book *Book
}

func (b *builder) schedules() []Schedule {
	all := []Schedule{}
	for _, s := range b.src.View.Snapshot.Schedules {
		known := b.book.schedules[s.ID]
		schedule := Schedule{
			ID: s.ID, Name: b.book.scheduleName(s.ID), Destination: s.Destination, When: known.when,
			Modules: len(s.Modules), Paused: known.paused,
		}
		if !known.paused {
			schedule.Next = known.next(b.src.Time)
		}
		all = append(all, schedule)
	}
	return all
}

// modules returns all modules that can have backups, sorted by name.
func (b *builder) modules() []Module {
	view := b.src.View.Snapshot
	byModule := map[string][]catalog.Schedule{}
	for _, s := range view.Schedules {
		for _, module := range s.Modules {
			byModule[module] = append(byModule[module], s)
		}
	}
	all := []Module{}
	for _, p := range view.Principals {
		if p.Role != catalog.RoleModule || len(p.Own) == 0 {
			continue
		}
		m := Module{ID: p.ID, Name: b.book.name(p.ID), Node: p.Node, Protections: []Protection{}, Level: Good}
		m.App, m.UUID, _ = strings.Cut(p.Own[0], "/")
		for _, s := range byModule[p.ID] {
			protection := b.protection(s, p)
			m.Protections = append(m.Protections, protection)
			m.Level = worse(m.Level, protection.Level)
		}
		if len(m.Protections) == 0 {
			m.Level = Warning
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Module) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return all
}

// protection describes the backups of a module by a schedule.
func (b *builder) protection(s catalog.Schedule, module *catalog.Principal) Protection {
	log := b.withUnrecorded(b.book.logs[pair{s.ID, module.ID}], s, module)
	known := b.book.schedules[s.ID]
	today := dayNumber(b.src.Time, b.book.zone)
	p := Protection{
		Destination: s.Destination, Schedule: s.ID, Outcome: None, Last: []Run{}, LastDone: []Run{},
		Days: log.outcomes(today), Sizes: log.sizes(today), Paused: known.paused,
	}
	if !known.paused {
		p.Next = known.next(b.src.Time)
	}
	if log != nil {
		p.Last, p.LastDone = ordered(log.last), ordered(log.done)
	}
	if last := p.LastOf(Backup); last != nil {
		p.Outcome = last.Outcome
		if known.overdue(last.Began(), b.src.Time) {
			p.Outcome = Overdue
			p.Days[len(p.Days)-1] = Overdue
		}
	}
	p.Level = levelOf(&p)
	return p
}

// unrecordedAfter is how much later than a recorded backup's end a snapshot must have been
// received to count as another backup's.
const unrecordedAfter = 2 * time.Minute

// withUnrecorded adds a backup that was not recorded but whose snapshot this gateway
// received: somebody ran module-backup by hand or from a timer.
func (b *builder) withUnrecorded(log *record, s catalog.Schedule, module *catalog.Principal) *record {
	if b.src.Newest == nil {
		return log
	}
	var received time.Time
	for _, repo := range module.Own {
		if at := b.src.Newest(s.Destination, repo); at.After(received) {
			received = at
		}
	}
	if received.IsZero() {
		return log
	}
	if log != nil {
		if known, ok := log.last[Backup]; ok && received.Before(known.Ended.Add(unrecordedAfter)) {
			return log
		}
	}
	return log.with([]Run{{
		ID: "snapshot", Schedule: s.ID, Node: module.Node, Module: module.ID, Kind: Backup, Outcome: Done, Ended: received,
		Destination: s.Destination, Repository: module.Own[0], Detail: "the snapshot was received; the run itself was not recorded",
	}}, b.book.zone)
}

// levelOf rates a protection: a backup whose retention or check failed is not good.
func levelOf(p *Protection) Level {
	level := map[Outcome]Level{
		Done: Good, Partial: Warning, Failed: Bad, Missed: Bad, Overdue: Bad, Skipped: Warning, None: Warning,
	}[p.Outcome]
	for i := range p.Last {
		if p.Last[i].Kind == Backup {
			continue
		}
		switch p.Last[i].Outcome {
		case Failed:
			level = worse(level, map[bool]Level{true: Bad, false: Warning}[p.Last[i].Kind == Check || p.Last[i].Kind == Drill])
		case Partial, Missed:
			level = worse(level, Warning)
		}
	}
	if p.Paused {
		level = worse(level, Warning)
	}
	return level
}

// gateways returns the nodes of the cluster, this one first.
func (b *builder) gateways() []Gateway {
	view := b.src.View.Snapshot
	all := []Gateway{}
	seen := false
	for id, node := range view.Nodes {
		g := Gateway{Node: id, Leader: id == view.LeaderID, Self: id == b.src.Node, Peers: []Peer{}}
		if node.IPAddress.IsValid() {
			g.Address = node.IPAddress.String()
		}
		seen = seen || g.Self
		all = append(all, g)
	}
	if !seen {
		all = append(all, Gateway{Node: b.src.Node, Self: true, Peers: []Peer{}})
	}
	for i := range all {
		b.describe(&all[i])
	}
	slices.SortFunc(all, func(a, b Gateway) int {
		if a.Self != b.Self {
			return map[bool]int{true: -1, false: 1}[a.Self]
		}
		return cmp.Or(cmp.Compare(len(a.Node), len(b.Node)), strings.Compare(a.Node, b.Node))
	})
	return all
}

// lostAfter is how long a gateway may be silent before it counts as down.
const lostAfter = 5 * beatInterval

// describe fills in the state of a gateway.
func (b *builder) describe(g *Gateway) {
	for _, p := range b.src.View.Snapshot.Principals {
		if p.Role == catalog.RoleModule && len(p.Own) > 0 && p.Node == g.Node {
			g.Modules++
		}
	}
	for _, p := range b.src.Peers {
		if p.Node == g.Node {
			g.Peers = append(g.Peers, Peer{p.Destination, p.Up})
		}
	}
	slices.SortFunc(g.Peers, func(a, b Peer) int { return strings.Compare(a.Destination, b.Destination) })
	if g.Self {
		g.Version, g.Ready = version.String(), b.src.Ready
		g.Started, g.Seen, g.Loaded = unlessZero(b.src.Started), unlessZero(b.src.Time), unlessZero(b.src.View.Loaded)
		g.Level = map[bool]Level{true: Good, false: Warning}[g.Ready]
		return
	}
	known, ok := b.book.gateways[g.Node]
	if !ok {
		g.Level = Unknown
		return
	}
	g.Version, g.Ready = known.version, known.ready
	g.Started, g.Seen, g.Loaded = unlessZero(known.started), unlessZero(known.seen), unlessZero(known.loaded)
	switch {
	case b.src.Time.Sub(known.seen) > lostAfter:
		g.Level = Bad
	case !known.ready:
		g.Level = Warning
	default:
		g.Level = Good
	}
}

// unlessZero returns a pointer to a time, nil if the time is zero.
func unlessZero(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func (b *builder) redis() Redis {
	r := Redis{Ready: b.src.Ready, MaxAge: b.src.MaxAge.Seconds(), Read: unlessZero(b.book.read), Warnings: []Entry{}}
	if b.src.View != nil {
		r.Loaded = unlessZero(b.src.View.Loaded)
		r.Age = b.src.Time.Sub(b.src.View.Loaded).Seconds()
		for _, w := range b.src.View.Snapshot.Warnings {
			r.Warnings = append(r.Warnings, Entry{w.Key, w.Reason})
		}
	}
	if b.book.failure != nil {
		r.Error = "Redis cannot be read now; the log of the gateway says why"
	}
	return r
}

func (b *builder) counts(f *Facts) Counts {
	c := Counts{Modules: len(f.Modules), Destinations: len(f.Destinations), Schedules: len(f.Schedules)}
	for i := range f.Modules {
		if len(f.Modules[i].Protections) == 0 {
			c.Unscheduled++
		}
	}
	return c
}

// Module returns the module with that path, nil if there is none.
func (f *Facts) Module(path string) *Module {
	for i := range f.Modules {
		if f.Modules[i].Path() == path {
			return &f.Modules[i]
		}
	}
	return nil
}

// Destination returns the destination with that ID, nil if there is none.
func (f *Facts) Destination(id string) *Destination {
	for i := range f.Destinations {
		if f.Destinations[i].ID == id {
			return &f.Destinations[i]
		}
	}
	return nil
}

// DayTexts returns the dates of the days that protections cover, oldest first.
func (f *Facts) DayTexts() []string {
	today := dayNumber(f.Time, f.Zone)
	all := make([]string, Days)
	for i := range all {
		all[i] = dayText(today - Days + 1 + i)
	}
	return all
}
