package message

import "time"

// Kind is the kind of a message.
type Kind string

// The kinds.
const (
	Failures Kind = "failures" // new failures and recoveries
	Digest   Kind = "digest"
	Test     Kind = "test"
	Ping     Kind = "ping" // for a dead-man's switch, not for people
)

// Level is the severity of a message or a row.
type Level string

// The levels.
const (
	Good    Level = "good"
	Warning Level = "warning"
	Bad     Level = "bad"
)

// Message is a rendered message.
type Message struct {
	// ID is the same for every attempt to send it.
	ID    string    `json:"id"`
	Kind  Kind      `json:"kind"`
	Level Level     `json:"level"`
	Host  string    `json:"host"`
	At    time.Time `json:"time"`

	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html,omitempty"`
	// Problems lists what needs attention.
	Problems []Problem `json:"problems"`

	// Replaces names a group of older messages that this message makes obsolete; "" is
	// none.
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

// Signal tells a dead-man's switch about a run.
type Signal struct {
	State State `json:"state"`
	// Run is a UUID, the same at the beginning and the end of a run.
	Run string `json:"run"`
	// Log is the last output of the run.
	Log string `json:"log,omitempty"`
}

// State is the progress of a run.
type State string

// The states.
const (
	Started   State = "start"
	Succeeded State = "success"
	Failed    State = "fail"
)

// Report is the content of a message.
type Report struct {
	Kind    Kind
	Level   Level
	Host    string
	At      time.Time
	Verdict string
	// Lead is a sentence below the verdict; it may be "".
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
	Level  Level // "" is neutral
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

// Compose renders a report.
func (r *Report) Compose(id string, clean *Cleaner) *Message {
	r = clean.report(r)
	return &Message{
		ID: id, Kind: r.Kind, Level: r.Level, Host: r.Host, At: r.At, Subject: r.subject(), Text: r.text(), HTML: r.html(), Problems: r.Problems,
	}
}

// When formats a time for messages.
func When(at time.Time) string {
	if at.IsZero() {
		return "an unknown time"
	}
	return at.Local().Format("Mon 2 Jan 2006 15:04")
}
