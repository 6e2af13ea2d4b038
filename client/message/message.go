package message

import "time"

// Kind is what a message is.
type Kind string

// The kinds.
const (
	Failures Kind = "failures" // what fails, and what works again
	Digest   Kind = "digest"
	Test     Kind = "test"
	Ping     Kind = "ping" // for a dead-man's switch; nobody reads it
)

// Level is how good or bad the news is.
type Level string

// The levels.
const (
	Good    Level = "good"
	Warning Level = "warning"
	Bad     Level = "bad"
)

// Message is what is sent.
type Message struct {
	// ID is the same however often the message is sent.
	ID    string    `json:"id"`
	Kind  Kind      `json:"kind"`
	Level Level     `json:"level"`
	Host  string    `json:"host"`
	At    time.Time `json:"time"`

	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html,omitempty"`
	// Problems are what needs attention.
	Problems []Problem `json:"problems"`

	// Replaces is shared with older messages that need no longer be sent once this one is
	// there; "" is none.
	Replaces string  `json:"replaces,omitempty"`
	Signal   *Signal `json:"signal,omitempty"`
}

// Problem is something that needs attention.
type Problem struct {
	Module   string    `json:"module,omitempty"`
	Schedule string    `json:"schedule,omitempty"`
	What     string    `json:"what"`
	Since    time.Time `json:"since,omitzero"`
}

// Signal is what a dead-man's switch is told of a run.
type Signal struct {
	State State `json:"state"`
	// Run is a UUID, the same at the beginning and the end of a run.
	Run string `json:"run"`
	// Log is what the run said last.
	Log string `json:"log,omitempty"`
}

// State is how far a run is.
type State string

// The states.
const (
	Started   State = "start"
	Succeeded State = "success"
	Failed    State = "fail"
)

// Report is what a message is made of.
type Report struct {
	Kind    Kind
	Level   Level
	Host    string
	At      time.Time
	Verdict string
	// Lead is a sentence below the verdict, "" is none.
	Lead     string
	Sections []Section
	Problems []Problem
}

// Section is a part of a report.
type Section struct {
	Title string
	Rows  []Row
}

// Row is a line of a section.
type Row struct {
	Level  Level // "" is neither good nor bad
	Title  string
	Detail string
	Note   string
}

// Add adds a section, unless it is empty.
func (r *Report) Add(title string, rows []Row) {
	if len(rows) > 0 {
		r.Sections = append(r.Sections, Section{title, rows})
	}
}

// Compose makes a message of a report.
func (r *Report) Compose(id string, clean *Cleaner) *Message {
	r = clean.report(r)
	return &Message{
		ID: id, Kind: r.Kind, Level: r.Level, Host: r.Host, At: r.At, Subject: r.subject(), Text: r.text(), HTML: r.html(), Problems: r.Problems,
	}
}

// When is a time as messages have it.
func When(at time.Time) string {
	if at.IsZero() {
		return "an unknown time"
	}
	return at.Local().Format("Mon 2 Jan 2006 15:04")
}
