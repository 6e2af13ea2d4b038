package adminapi

import "time"

// Paths of modules that reach no Redis. They take the credentials of a module, from every
// address that the gateway serves, and tell it of itself alone.
const (
	// ModuleFactsPath takes GET.
	ModuleFactsPath = "/-/module/facts"
	// ModulePasswordPath takes GET, with the query repository=DESTINATION/APP/UUID: one
	// that the module may read.
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
	// Own are the paths of its repositories below each destination, APP/UUID, and Granted
	// those that it may read to restore from.
	Own     []string `json:"own"`
	Granted []string `json:"granted"`
	// Schedules are those that list the module.
	Schedules    []ModuleSchedule    `json:"schedules"`
	Destinations []ModuleDestination `json:"destinations"`
	// Stale is true while the gateway does not reach Redis: this is what that said last.
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
	// Own is true where it opens the repositories of that module alone, and not those of
	// all modules.
	Own bool `json:"own,omitempty"`
}

// String keeps the password out of every text.
func (ModulePassword) String() string { return "***" }

// ModuleDumps answers a ModuleDumpsPath: the module's keys that each backup holds, as
// Redis' DUMP returns them.
type ModuleDumps struct {
	UIName []byte `json:"ui_name,omitempty"`
	UINote []byte `json:"ui_note,omitempty"`
}

// Bounds of what is posted to a ModuleOutcomesPath.
const (
	MaxOutcomes     = 100
	MaxOutcomesBody = 256 << 10
	// MaxOutcomeAge is how long ago a run may have ended.
	MaxOutcomeAge = 90 * 24 * time.Hour
)

// ModuleOutcomes is posted to a ModuleOutcomesPath: what backups of the module came to. All
// of them are recorded, or none. What was recorded under an ID before counts once.
type ModuleOutcomes struct {
	Outcomes []ModuleOutcome `json:"outcomes"`
}

// ModuleOutcome is what one backup came to.
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
	// Recorded is how many were recorded; Unlisted are the schedules that do not list the
	// module any more, whose outcomes were left out.
	Recorded int      `json:"recorded"`
	Unlisted []string `json:"unlisted,omitempty"`
}
