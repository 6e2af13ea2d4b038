package status

import (
	"errors"
	"time"
)

// APIBase is the path of the API.
const APIBase = "/-/api/v1"

// OpenAPIPath is the path of its description.
const OpenAPIPath = APIBase + "/openapi.json"

// ErrUnknown says that the requested item does not exist.
var ErrUnknown = errors.New("there is no such module or destination")

// Ask holds the parameters of a request to the API; unused ones are empty.
type Ask struct {
	App, UUID, ID string
	Query         Query
	// History reads older runs than the facts contain.
	History func(Query) ([]Run, error)
}

// Endpoint is a path of the API.
type Endpoint struct {
	// Path is relative to APIBase, in the form of chi and OpenAPI.
	Path string
	Name string // operationId
	Doc  string
	// Query lists its query parameters.
	Query []string
	// Sample has the type of its response.
	Sample any
	Answer func(f *Facts, ask Ask) (any, error)
}

// OverviewAnswer is the response of /overview.
type OverviewAnswer struct {
	Time      time.Time   `json:"time" doc:"the moment that all of this is of"`
	Zone      string      `json:"timezone" doc:"time zone that days are counted in"`
	Verdict   Verdict     `json:"verdict" doc:"whether the backups are all right"`
	Attention []Attention `json:"attention" doc:"what somebody should look at, the worst first"`
	Counts    Counts      `json:"counts" doc:"what there is"`
	Days      []string    `json:"days" format:"date" doc:"the days of each cell, the oldest first"`
	Grid      []Row       `json:"grid" doc:"a row for each module"`
}

// Row holds the days of a module.
type Row struct {
	Module string `json:"module" doc:"APP/UUID"`
	ID     string `json:"id" doc:"the module's ID"`
	Name   string `json:"name" doc:"its label, or its ID"`
	Level  Level  `json:"level" enum:"good,unknown,warning,bad" doc:"how good it is"`
	Cells  []Cell `json:"cells" doc:"a cell for each destination that it has backups at"`
}

// Cell holds the days of a module at a destination.
type Cell struct {
	Destination string    `json:"destination" doc:"destination ID"`
	Outcome     Outcome   `json:"outcome" enum:"done,partial,failed,missed,skipped,overdue,none" doc:"what the last backup came to"`
	Days        []Outcome `json:"days" enum:"done,partial,failed,missed,skipped,overdue,none" doc:"what the last backup of each day came to"`
}

// ModulesAnswer is the response of /modules.
type ModulesAnswer struct {
	Modules []Module `json:"modules" doc:"all modules"`
}

// DestinationsAnswer is the response of /destinations.
type DestinationsAnswer struct {
	Destinations []Destination `json:"destinations" doc:"all destinations"`
}

// RunsAnswer is the response of /runs.
type RunsAnswer struct {
	Schedules []Schedule `json:"schedules" doc:"schedules that are turned on"`
	Live      []Live     `json:"live" doc:"what is being run now"`
	Runs      []Run      `json:"runs" doc:"runs, the newest first"`
}

// ActivityAnswer is the response of /activity.
type ActivityAnswer struct {
	Events   []Event   `json:"events" doc:"the last lines of the audit log of this gateway, the newest first"`
	Failures []Failure `json:"failures" doc:"logins that failed and requests that were refused since it started, the newest first"`
}

// GatewaysAnswer is the response of /gateways.
type GatewaysAnswer struct {
	Gateways []Gateway `json:"gateways" doc:"the gateways of the nodes, the one that answers first"`
	Redis    Redis     `json:"redis" doc:"how Redis is, as the one that answers sees it"`
}

// Endpoints returns all paths of the API.
var Endpoints = []Endpoint{
	{
		Path: "/overview", Name: "overview", Doc: "Whether the backups are all right, what needs attention, and what each day came to", Sample: OverviewAnswer{},
		Answer: func(f *Facts, _ Ask) (any, error) { return f.overview(), nil },
	},
	{
		Path: "/modules", Name: "modules", Doc: "All modules with their backups", Sample: ModulesAnswer{},
		Answer: func(f *Facts, _ Ask) (any, error) { return ModulesAnswer{f.Modules}, nil },
	},
	{
		Path: "/modules/{app}/{uuid}", Name: "module", Doc: "One module with its backups", Sample: Module{},
		Answer: func(f *Facts, ask Ask) (any, error) {
			if m := f.Module(ask.App + "/" + ask.UUID); m != nil {
				return *m, nil
			}
			return nil, ErrUnknown
		},
	},
	{
		Path: "/destinations", Name: "destinations", Doc: "All destinations", Sample: DestinationsAnswer{},
		Answer: func(f *Facts, _ Ask) (any, error) { return DestinationsAnswer{f.Destinations}, nil },
	},
	{
		Path: "/destinations/{id}", Name: "destination", Doc: "One destination", Sample: Destination{},
		Answer: func(f *Facts, ask Ask) (any, error) {
			if d := f.Destination(ask.ID); d != nil {
				return *d, nil
			}
			return nil, ErrUnknown
		},
	},
	{
		Path: "/runs", Name: "runs", Doc: "What ran, and what should have", Sample: RunsAnswer{}, Query: []string{"schedule", "module", "kind", "outcome", "run", "limit"},
		Answer: func(f *Facts, ask Ask) (any, error) {
			runs, err := f.Chosen(ask)
			return RunsAnswer{f.Schedules, f.Live, runs}, err
		},
	},
	{
		Path: "/activity", Name: "activity", Doc: "Who did what, and who was refused", Sample: ActivityAnswer{},
		Answer: func(f *Facts, _ Ask) (any, error) { return ActivityAnswer{f.Events, f.Failures}, nil },
	},
	{
		Path: "/gateways", Name: "gateways", Doc: "The gateways of the nodes, and Redis", Sample: GatewaysAnswer{},
		Answer: func(f *Facts, _ Ask) (any, error) { return GatewaysAnswer{f.Gateways, f.Redis}, nil },
	},
}

func (f *Facts) overview() OverviewAnswer {
	answer := OverviewAnswer{
		Time: f.Time, Zone: f.Zone.String(), Verdict: f.Verdict, Attention: f.Attention, Counts: f.Counts, Days: f.DayTexts(), Grid: []Row{},
	}
	for i := range f.Modules {
		m := &f.Modules[i]
		row := Row{Module: m.Path(), ID: m.ID, Name: m.Name, Level: m.Level, Cells: []Cell{}}
		for j := range m.Protections {
			p := &m.Protections[j]
			row.Cells = append(row.Cells, Cell{p.Destination, p.Outcome, p.Days})
		}
		answer.Grid = append(answer.Grid, row)
	}
	return answer
}

// Chosen returns the requested runs: of one module or schedule as far back as Redis has
// them, otherwise the newest.
func (f *Facts) Chosen(ask Ask) ([]Run, error) {
	if ask.History != nil && (ask.Query.Module != "" || ask.Query.Schedule != "") {
		return ask.History(ask.Query)
	}
	return ask.Query.Of(f.Runs), nil
}
