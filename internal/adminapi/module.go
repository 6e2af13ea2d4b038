package adminapi

import "time"

// Paths for modules on hosts without Redis. They take the credentials of a module, from
// every address that the gateway serves, and answer about that module only.
const (
	// ModuleFactsPath takes GET.
	ModuleFactsPath = "/-/module/facts"
	// ModulePasswordPath takes GET, with the query repository=DESTINATION/APP/UUID for a
	// repository that the module may read.
	ModulePasswordPath = "/-/module/password"
	// ModuleDumpsPath takes GET.
	ModuleDumpsPath = "/-/module/dumps"
	// ModuleOutcomesPath takes POST.
	ModuleOutcomesPath = "/-/module/outcomes"
)

// ModuleFacts answers a ModuleFactsPath. It holds no secret.
type ModuleFacts struct {
	ID   string `json:"id"`
	UUID string `json:"uuid"`
	// Own are the paths of its repositories below each destination, APP/UUID; Granted are
	// those that it may restore from.
	Own     []string `json:"own"`
	Granted []string `json:"granted"`
	// Schedules are those that list the module.
	Schedules    []ModuleSchedule    `json:"schedules"`
	Destinations []ModuleDestination `json:"destinations"`
	// Stale is true while the gateway cannot reach Redis: the facts are from its last view.
	Stale bool `json:"stale,omitempty"`
}

// ModuleSchedule is a schedule that lists the module.
type ModuleSchedule struct {
	ID          string `json:"id"`
	Name        string `json:"name,omitempty"`
	Enabled     bool   `json:"enabled"`
	Calendar    string `json:"calendar,omitempty"`
	Destination string `json:"destination"`
}

// ModuleDestination is a destination.
type ModuleDestination struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	Provider string `json:"provider,omitempty"`
}

// ModulePassword answers a ModulePasswordPath.
type ModulePassword struct {
	Password string `json:"password"`
	// Own is true if the password opens only the repositories of that module.
	Own bool `json:"own,omitempty"`
}

// String keeps the password out of every text.
func (ModulePassword) String() string { return "***" }

// ModuleDumps answers a ModuleDumpsPath: the module's keys that each backup holds, in the
// form of Redis' DUMP.
type ModuleDumps struct {
	UIName []byte `json:"ui_name,omitempty"`
	UINote []byte `json:"ui_note,omitempty"`
}

// Bounds of a post to a ModuleOutcomesPath.
const (
	MaxOutcomes     = 100
	MaxOutcomesBody = 256 << 10
	// MaxOutcomeAge is how long ago a run may have ended.
	MaxOutcomeAge = 90 * 24 * time.Hour
)

// ModuleOutcomes is posted to a ModuleOutcomesPath: outcomes of the module's backups.
// Either all of them are recorded, or none. An ID that was recorded before is not counted
// again.
type ModuleOutcomes struct {
	Outcomes []ModuleOutcome `json:"outcomes"`
}

// ModuleOutcome is the outcome of one backup.
type ModuleOutcome struct {
	ID       string    `json:"id"`
	Schedule string    `json:"schedule"` // one that lists the module
	Outcome  string    `json:"outcome"`  // done, partial or failed
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended"`

	Snapshot   string   `json:"snapshot_id,omitempty"`
	Files      uint64   `json:"files,omitempty"`
	Bytes      uint64   `json:"bytes,omitempty"`
	Added      uint64   `json:"bytes_added,omitempty"`
	Error      string   `json:"error,omitempty"`
	ExitStatus int      `json:"exit_status,omitempty"`
	Missing    []string `json:"missing,omitempty"`
}

// ModuleRecorded answers it.
type ModuleRecorded struct {
	// Recorded counts the recorded outcomes; Unlisted are the schedules that no longer list
	// the module, whose outcomes were left out.
	Recorded int      `json:"recorded"`
	Unlisted []string `json:"unlisted,omitempty"`
}
