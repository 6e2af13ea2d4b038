package status

import "time"

// Level rates how good or bad something is.
type Level string

// The levels, from good to bad. Unknown means that there is no information.
const (
	Good    Level = "good"
	Unknown Level = "unknown"
	Warning Level = "warning"
	Bad     Level = "bad"
)

var severity = map[Level]int{Good: 0, Unknown: 1, Warning: 2, Bad: 3}

// worse returns the worse of two levels.
func worse(a, b Level) Level {
	if severity[b] > severity[a] {
		return b
	}
	return a
}

// Outcome is the outcome of a planned run, or of a day.
type Outcome string

// The outcomes. None means that nothing ran and nothing should have, or that nothing is
// known.
const (
	Done    Outcome = "done"
	Partial Outcome = "partial"
	Failed  Outcome = "failed"
	Missed  Outcome = "missed"
	Skipped Outcome = "skipped"
	Overdue Outcome = "overdue"
	None    Outcome = "none"
)

// Kind is the kind of a task.
type Kind string

// The kinds, in the order of a run.
const (
	Backup    Kind = "backup"
	Retention Kind = "retention"
	Prune     Kind = "prune"
	Check     Kind = "check"
	Drill     Kind = "drill"
)

// Kinds lists all kinds.
var Kinds = []Kind{Backup, Retention, Prune, Check, Drill}

// Days is the number of days in the overview.
const Days = 30

// Facts describe the state at one moment. They never change.
type Facts struct {
	Time         time.Time
	Zone         *time.Location // for the boundaries of days
	Verdict      Verdict
	Attention    []Attention
	Counts       Counts
	Modules      []Module
	Destinations []Destination
	Schedules    []Schedule
	Runs         []Run   // the newest ones, of all modules
	Live         []Live  // running tasks
	Events       []Event // newest first
	Failures     []Failure
	Gateways     []Gateway
	Redis        Redis
}

// Verdict says whether the backups are in order.
type Verdict struct {
	Level Level  `json:"level" enum:"good,unknown,warning,bad" doc:"the worst of what needs attention"`
	Text  string `json:"text" doc:"the verdict in a sentence"`
}

// Attention is a problem that somebody should look at.
type Attention struct {
	ID          string `json:"id" doc:"names what is wrong"`
	Level       Level  `json:"level" enum:"warning,bad" doc:"how bad it is"`
	What        string `json:"what" doc:"what is wrong"`
	Do          string `json:"do" doc:"what to do about it"`
	Module      string `json:"module,omitempty" doc:"APP/UUID of the module that it is about"`
	Destination string `json:"destination,omitempty" doc:"ID of the destination that it is about"`
	// Noticed is set once somebody acknowledged it: it no longer affects the verdict.
	Noticed *Noticed `json:"acknowledged,omitempty" doc:"who has acknowledged it, so that the verdict does not count it"`
}

// Counts are totals.
type Counts struct {
	Modules      int `json:"modules" doc:"modules that may have backups"`
	Unscheduled  int `json:"unscheduled" doc:"those that no schedule names which is turned on"`
	Destinations int `json:"destinations" doc:"destinations, usable or not"`
	Schedules    int `json:"schedules" doc:"schedules that are turned on"`
}

// Module is a module with its backups.
type Module struct {
	ID    string `json:"id" doc:"the module's ID, such as mail1"`
	Name  string `json:"name" doc:"the label that an administrator gave it, or its ID"`
	App   string `json:"app" doc:"application type"`
	UUID  string `json:"uuid" doc:"the module's UUID"`
	Node  string `json:"node" doc:"ID of the node that it runs on, empty where that is not known"`
	Level Level  `json:"level" enum:"good,unknown,warning,bad" doc:"the worst of its destinations"`
	// Protections are by destination.
	Protections []Protection `json:"protections" doc:"its backups at each destination"`
}

// Path returns APP/UUID.
func (m *Module) Path() string { return m.App + "/" + m.UUID }

// Protection describes the backups of a module at one destination, by one schedule.
type Protection struct {
	Destination string     `json:"destination" doc:"destination ID"`
	Schedule    string     `json:"schedule" doc:"schedule ID"`
	Level       Level      `json:"level" enum:"good,unknown,warning,bad" doc:"how good it is"`
	Outcome     Outcome    `json:"outcome" enum:"done,partial,failed,missed,skipped,overdue,none" doc:"what the last backup came to; overdue where the next one should have ended"`
	Last        []Run      `json:"last" doc:"the last run of each kind"`
	LastDone    []Run      `json:"last_done" doc:"the last run of each kind that succeeded"`
	Next        *time.Time `json:"next,omitempty" doc:"when the next backup is planned"`
	Paused      bool       `json:"paused,omitempty" doc:"true while the schedule is paused"`
	Days        []Outcome  `json:"days" enum:"done,partial,failed,missed,skipped,overdue,none" doc:"what the last backup of each day came to, the oldest first"`
	Sizes       []Size     `json:"sizes" doc:"what snapshots held, by day"`
}

// Size is the size of a snapshot.
type Size struct {
	Day   string `json:"day" format:"date" doc:"the day"`
	Bytes uint64 `json:"bytes" doc:"what the last snapshot of the day held"`
	Added uint64 `json:"bytes_added" doc:"what the backups of the day added to the repository"`
}

// last returns the last run of a kind, nil if there is none.
func last(runs []Run, kind Kind) *Run {
	for i := range runs {
		if runs[i].Kind == kind {
			return &runs[i]
		}
	}
	return nil
}

// LastOf returns the last run of a kind, nil if there is none.
func (p *Protection) LastOf(kind Kind) *Run { return last(p.Last, kind) }

// LastDoneOf returns the last successful run of a kind, nil if there is none.
func (p *Protection) LastDoneOf(kind Kind) *Run { return last(p.LastDone, kind) }

// Schedule is an enabled backup schedule.
type Schedule struct {
	ID          string     `json:"id" doc:"schedule ID"`
	Name        string     `json:"name" doc:"its name, or else its ID"`
	Destination string     `json:"destination" doc:"destination ID"`
	When        string     `json:"when" doc:"its times, in the form of systemd's OnCalendar"`
	Modules     int        `json:"modules" doc:"how many modules it names"`
	Next        *time.Time `json:"next,omitempty" doc:"when it runs next"`
	Paused      bool       `json:"paused,omitempty" doc:"true while it is paused"`
}

// Run is the outcome of a planned task, for one module.
type Run struct {
	ID          string    `json:"id" doc:"ID that all outcomes of one run of a schedule share"`
	Schedule    string    `json:"schedule" doc:"schedule ID"`
	Name        string    `json:"schedule_name,omitempty" doc:"the schedule's name"`
	Node        string    `json:"node" doc:"ID of the node that ran it"`
	Module      string    `json:"module" doc:"module ID"`
	UUID        string    `json:"module_uuid,omitempty" doc:"the module's UUID"`
	Kind        Kind      `json:"kind" enum:"backup,retention,prune,check,drill" doc:"what was run"`
	Outcome     Outcome   `json:"outcome" enum:"done,partial,failed,missed,skipped" doc:"what it came to"`
	Planned     time.Time `json:"planned,omitzero" doc:"when it was to begin; missing where somebody ran it by hand"`
	Started     time.Time `json:"started,omitzero" doc:"when it began"`
	Ended       time.Time `json:"ended" doc:"when it ended, or was found out"`
	Destination string    `json:"destination,omitempty" doc:"destination ID"`
	Repository  string    `json:"repository,omitempty" doc:"APP/UUID"`
	Snapshot    string    `json:"snapshot_id,omitempty" doc:"ID of the snapshot"`
	Snapshots   int       `json:"snapshots,omitempty" doc:"how many snapshots the repository holds"`
	Files       uint64    `json:"files,omitempty" doc:"files"`
	Bytes       uint64    `json:"bytes,omitempty" doc:"what the snapshot holds, or what was restored, read or freed"`
	Added       uint64    `json:"bytes_added,omitempty" doc:"what a backup added to the repository"`
	Error       string    `json:"error,omitempty" doc:"what went wrong, or why it was skipped"`
	ExitStatus  int       `json:"exit_status,omitempty" doc:"exit status of what was run"`
	Missing     []string  `json:"missing,omitempty" doc:"what a partial backup lacks"`
	Detail      string    `json:"detail,omitempty" doc:"what else is to be said"`
	Part        int       `json:"part,omitempty" doc:"which part of the data a check has read"`
	Parts       int       `json:"parts,omitempty" doc:"of how many"`
}

// Began returns when it began, or should have begun.
func (r *Run) Began() time.Time {
	switch {
	case !r.Started.IsZero():
		return r.Started
	case !r.Planned.IsZero():
		return r.Planned
	}
	return r.Ended
}

// Took returns how long it took.
func (r *Run) Took() time.Duration {
	if r.Started.IsZero() {
		return 0
	}
	return max(0, r.Ended.Sub(r.Started))
}

// Destination is a destination as this gateway sees it.
type Destination struct {
	ID        string            `json:"id" doc:"destination ID"`
	Name      string            `json:"name" doc:"its name, or else its ID"`
	Provider  string            `json:"provider,omitempty" doc:"provider, as in Redis"`
	Type      string            `json:"type,omitempty" doc:"rclone's type of the storage"`
	Node      string            `json:"node,omitempty" doc:"ID of the node on whose disk it is, where that is another one; only that node knows more"`
	Level     Level             `json:"level" enum:"good,unknown,warning,bad" doc:"how good it is"`
	State     string            `json:"state" enum:"works,fails,unused,unreached,broken,peer" doc:"works or fails: as the last operation did; unused: none yet; unreached: not reached from this node; broken: Redis describes nothing that can be used; peer: on another node's disk"`
	Reason    string            `json:"reason,omitempty" doc:"why it is broken"`
	Breaker   string            `json:"breaker,omitempty" enum:"closed,open,half_open" doc:"state of the circuit breaker, where it has one"`
	Space     *Space            `json:"space,omitempty" doc:"the storage that it lies on, with all that others keep there, where it says"`
	Held      *int64            `json:"held,omitempty" doc:"bytes of its own backups, where a quota has them counted"`
	Trash     *Trash            `json:"trash,omitempty" doc:"what is kept of deleted objects, once it was counted"`
	Limits    Limits            `json:"limits" doc:"what an administrator allows; 0 is no limit"`
	Traffic   Traffic           `json:"traffic" doc:"since the gateway started"`
	Errors    map[string]uint64 `json:"errors" doc:"failures of the storage by class since the gateway started, including ones that a retry recovered"`
	Snapshots uint64            `json:"snapshots_saved" doc:"snapshots saved through this gateway since it started"`
	Latest    *time.Time        `json:"last_snapshot,omitempty" doc:"when the last of them was saved"`
	Schedules []string          `json:"schedules" doc:"IDs of the schedules that use it"`
	Outcomes  map[string]int    `json:"outcomes" doc:"how many modules are how, by the outcome of their last backup"`
}

// Space is the capacity of a storage, in bytes.
type Space struct {
	Free  *int64 `json:"free,omitempty" doc:"free bytes"`
	Used  *int64 `json:"used,omitempty" doc:"used bytes"`
	Total *int64 `json:"total,omitempty" doc:"all bytes"`
	// Daily is the daily growth.
	Daily *int64 `json:"daily,omitempty" doc:"bytes that it grows by each day, once it was watched for a day"`
	Full  string `json:"full_on,omitempty" format:"date" doc:"the day on which it runs out at that pace, within two years"`
}

// Trash is the content of a destination's trash.
type Trash struct {
	Objects int64     `json:"objects" doc:"how many"`
	Bytes   int64     `json:"bytes" doc:"how large they are"`
	Counted time.Time `json:"counted" doc:"when that was counted"`
}

// Limits are the limits of a destination.
type Limits struct {
	Upload      int64 `json:"upload" doc:"bytes per second"`
	Download    int64 `json:"download" doc:"bytes per second"`
	Operations  int64 `json:"operations" doc:"requests at once"`
	Quota       int64 `json:"quota" doc:"bytes of all modules together"`
	ModuleQuota int64 `json:"module_quota" doc:"bytes of each module"`
	Keep        int64 `json:"keep_deleted" doc:"seconds that deleted objects are kept; 0: not at all"`
}

// Traffic counts requests and bytes.
type Traffic struct {
	Requests uint64 `json:"requests" doc:"requests that reached it"`
	Failed   uint64 `json:"failed" doc:"those that the gateway or the storage failed"`
	Received uint64 `json:"received" doc:"bytes received"`
	Sent     uint64 `json:"sent" doc:"bytes sent"`
}

// Event is a line of the audit log of this gateway.
type Event struct {
	Time        time.Time `json:"time" doc:"when"`
	What        string    `json:"what" doc:"what was done: delete, refused, change, restore, login and so on"`
	Who         string    `json:"who,omitempty" doc:"the user"`
	From        string    `json:"from,omitempty" doc:"the address"`
	Destination string    `json:"destination,omitempty" doc:"destination ID"`
	Repository  string    `json:"repository,omitempty" doc:"APP/UUID"`
	Object      string    `json:"object,omitempty" doc:"what it was done to"`
	Request     string    `json:"request,omitempty" doc:"the request, as the gateway's log has it under req"`
	Result      string    `json:"result,omitempty" doc:"HTTP status, or ok"`
	Detail      string    `json:"detail,omitempty" doc:"more, in words"`
	Count       int       `json:"count,omitempty" doc:"how many such events this one stands for, where not one"`
}

// Failure counts failed logins of one user from one address.
type Failure struct {
	User   string    `json:"user" doc:"the name that was given"`
	From   string    `json:"from" doc:"the address"`
	Reason string    `json:"reason" doc:"why: unknown_user, wrong_password, no_credentials, address, scope, attempts, pairing_code"`
	Count  int       `json:"count" doc:"how many"`
	First  time.Time `json:"first" doc:"the first of them"`
	Last   time.Time `json:"last" doc:"the last of them"`
}

// Gateway is a node's gateway.
type Gateway struct {
	Node    string     `json:"node" doc:"node ID, empty without a cluster"`
	Address string     `json:"address,omitempty" doc:"the node's address in the cluster's VPN"`
	Leader  bool       `json:"leader,omitempty" doc:"true for the leader"`
	Self    bool       `json:"self,omitempty" doc:"true for the gateway that answers"`
	Level   Level      `json:"level" enum:"good,unknown,warning,bad" doc:"how good it is"`
	Version string     `json:"version,omitempty" doc:"its version"`
	Started *time.Time `json:"started,omitempty" doc:"when it started"`
	Seen    *time.Time `json:"seen,omitempty" doc:"when it last said that it lives"`
	Loaded  *time.Time `json:"loaded,omitempty" doc:"of when the state is that it serves from"`
	Ready   bool       `json:"ready" doc:"true where it served, when last seen, what Redis said"`
	Modules int        `json:"modules" doc:"modules that run on the node"`
	Peers   []Peer     `json:"peers" doc:"how this gateway reaches it, for each destination it asked it about"`
}

// Peer says how a node answers for a destination.
type Peer struct {
	Destination string `json:"destination" doc:"destination ID"`
	Up          bool   `json:"up" doc:"true while it answers"`
}

// Redis is the state of Redis, as this gateway sees it.
type Redis struct {
	Ready    bool       `json:"ready" doc:"true while this gateway serves what Redis says now"`
	Loaded   *time.Time `json:"loaded,omitempty" doc:"when the state was loaded that is served"`
	Age      float64    `json:"age_seconds" doc:"how old it is"`
	MaxAge   float64    `json:"max_age_seconds" doc:"how old it may get before requests are refused"`
	Read     *time.Time `json:"history_read,omitempty" doc:"when the history of runs was read"`
	Error    string     `json:"error,omitempty" doc:"why the history of runs cannot be read now"`
	Warnings []Entry    `json:"warnings" doc:"entries of Redis that are left out"`
}

// Entry is an entry of Redis that could not be used.
type Entry struct {
	Key    string `json:"key" doc:"the key"`
	Reason string `json:"reason" doc:"why"`
}
