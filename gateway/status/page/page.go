package page

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/status"
)

// Base is where the pages are.
const Base = "/-/status"

//go:embed html
var files embed.FS

// Style is the stylesheet, and StylePath where the pages expect it: a name of its content,
// so that it can be kept for ever.
var (
	Style     = mustRead("html/style.css")
	StylePath = Base + "/style-" + shortHash(Style) + ".css"
)

// Script moves what is being run, and ScriptPath is where the page of runs expects it.
var (
	Script     = mustRead("html/live.js")
	ScriptPath = Base + "/live-" + shortHash(Script) + ".js"
)

func mustRead(name string) []byte {
	content, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is built in
	}
	return content
}

func shortHash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:6])
}

var templates = template.Must(template.New("").Funcs(functions).ParseFS(files, "html/*.html"))

// Page is one page to be made, with what stands around its content. Facts is nil for pages
// of somebody who is not logged in.
type Page struct {
	*Chrome

	Facts *status.Facts

	// What some of the pages are about.
	Module      *status.Module
	Destination *status.Destination
	Runs        []status.Run
	Query       status.Query
	Points      map[string]Points // by destination

	// Actions is true where the pages may do something, and Action is what.
	Actions bool
	Action  *Action
	Log     RunLog
	// Browses is true where files of snapshots can be looked at; Place is the directory that
	// the page is about, and Files what is in it; More says that there is more.
	Browses bool
	Place   *Place
	Files   []File
	More    bool
	// Moves is true for a page with the script.
	Moves bool

	// Of the login.
	Message, Name, Next string

	paths, names, destined map[string]string // by ID
}

// Chrome is what stands around the content.
type Chrome struct {
	Title string
	// User is who is logged in, Token what forms send along; both are empty where nobody is.
	User, Token string
	// Path is that of the page.
	Path string
}

// Points are the restore points of a module at a destination, or why they are not known.
type Points struct {
	Points []Point
	Error  string
}

// Point is a snapshot as the storage has it.
type Point struct {
	ID       string
	Received time.Time
}

// Short is how people call a snapshot.
func (p Point) Short() string { return p.ID[:min(8, len(p.ID))] }

// Link is a page in the navigation.
type Link struct {
	Path, Name string
	Current    bool
}

var sections = []Link{
	{Path: Base, Name: "Overview"}, {Path: Base + "/modules", Name: "Modules"}, {Path: Base + "/destinations", Name: "Destinations"},
	{Path: Base + "/runs", Name: "Runs"}, {Path: Base + "/activity", Name: "Activity"}, {Path: Base + "/gateways", Name: "Gateways"},
}

// Pages are the links of the navigation.
func (p *Page) Pages() []Link {
	links := slices.Clone(sections)
	for i := range links {
		links[i].Current = p.Path == links[i].Path
	}
	return links
}

// Render makes the page of a template: overview, attentions, modules, module,
// destinations, destination, runspage, run, browse, activity, gateways, act, acted or login.
func (p *Page) Render(name string) ([]byte, error) {
	p.index()
	var content bytes.Buffer
	if err := templates.ExecuteTemplate(&content, name, p); err != nil {
		return nil, err
	}
	var whole bytes.Buffer
	whole.Grow(content.Len() + 4096)
	err := templates.ExecuteTemplate(&whole, "layout", struct {
		*Page

		Content    template.HTML
		Stylesheet string
		Script     string
	}{p, template.HTML(content.String()), StylePath, ScriptPath}) //nolint:gosec // the template has escaped it
	return whole.Bytes(), err
}

// Fragment makes a part of a page, by its template: live.
func (p *Page) Fragment(name string) ([]byte, error) {
	p.index()
	var content bytes.Buffer
	err := templates.ExecuteTemplate(&content, name, p)
	return content.Bytes(), err
}

// index makes names quick to find.
func (p *Page) index() {
	p.paths, p.names, p.destined = map[string]string{}, map[string]string{}, map[string]string{}
	if p.Facts == nil {
		return
	}
	for i := range p.Facts.Modules {
		m := &p.Facts.Modules[i]
		p.paths[m.ID], p.names[m.ID] = m.Path(), m.Name
	}
	for i := range p.Facts.Destinations {
		p.destined[p.Facts.Destinations[i].ID] = p.Facts.Destinations[i].Name
	}
}

// PathOf is APP/UUID of a module, "" where it is gone.
func (p *Page) PathOf(module string) string { return p.paths[module] }

// ModuleName is the name of a module.
func (p *Page) ModuleName(id string) string { return cmp.Or(p.names[id], id) }

// DestinationName is the name of a destination.
func (p *Page) DestinationName(id string) string { return cmp.Or(p.destined[id], id) }

// Zone is the time zone of all times.
func (p *Page) Zone() string {
	name, _ := p.Facts.Time.In(p.Facts.Zone).Zone()
	return "times are in " + name
}

// Kinds and OutcomeWords are what runs can be chosen by.
func (p *Page) Kinds() []status.Kind { return status.Kinds }

// OutcomeWords are all outcomes that are recorded.
func (p *Page) OutcomeWords() []status.Outcome {
	return []status.Outcome{status.Done, status.Partial, status.Failed, status.Missed, status.Skipped}
}

// Column is a destination in the grid.
type Column struct{ ID, Name string }

// Columns are the destinations that modules have backups at.
func (p *Page) Columns() []Column {
	var columns []Column
	for i := range p.Facts.Destinations {
		if d := &p.Facts.Destinations[i]; len(d.Schedules) > 0 {
			columns = append(columns, Column{d.ID, d.Name})
		}
	}
	return columns
}

// Row is a module in the grid.
type Row struct {
	Name, Path string
	Level      status.Level
	Cells      []template.HTML
}

// Rows are the modules, those first that need attention.
func (p *Page) Rows() []Row {
	columns := p.Columns()
	place := make(map[string]int, len(columns))
	for i, c := range columns {
		place[c.ID] = i
	}
	days := newDays(p.Facts)
	rows := make([]Row, len(p.Facts.Modules))
	for i := range p.Facts.Modules {
		m := &p.Facts.Modules[i]
		row := Row{Name: m.Name, Path: m.Path(), Level: m.Level, Cells: make([]template.HTML, len(columns))}
		for j := range m.Protections {
			if at, ok := place[m.Protections[j].Destination]; ok {
				row.Cells[at] += days.cell(&m.Protections[j])
			}
		}
		for j := range row.Cells {
			if row.Cells[j] == "" {
				row.Cells[j] = `<span class="note">not planned</span>`
			}
		}
		rows[i] = row
	}
	order := map[status.Level]int{status.Bad: 0, status.Warning: 1, status.Unknown: 2, status.Good: 3}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(order[a.Level], order[b.Level]) })
	return rows
}

// DayCount is how many days the grid has; FirstDay and LastDay are its ends.
func (p *Page) DayCount() int { return status.Days }

// FirstDay is the oldest day of the grid.
func (p *Page) FirstDay() string { return newDays(p.Facts).words[0] }

// LastDay is today.
func (p *Page) LastDay() string { return newDays(p.Facts).words[status.Days-1] }

// Attentions are some of what needs attention.
type Attentions struct {
	Page  *Page
	Items []status.Attention
	More  int
}

// Most returns the first so many; 0 is all.
func (p *Page) Most(n int) Attentions {
	items := p.Facts.Attention
	if n == 0 || n > len(items) {
		n = len(items)
	}
	return Attentions{p, items[:n], len(items) - n}
}

// About returns what needs attention of what the page is about; nil where nothing does.
func (p *Page) About() *Attentions {
	var items []status.Attention
	for _, a := range p.Facts.Attention {
		if p.Module != nil && a.Module == p.Module.Path() || p.Destination != nil && a.Destination == p.Destination.ID && a.Module == "" {
			items = append(items, a)
		}
	}
	if items == nil {
		return nil
	}
	return &Attentions{Page: p, Items: items}
}

// Table is a table of runs.
type Table struct {
	Page    *Page
	Caption string
	Rows    []status.Run
}

// RunsTable is the table of the page's runs.
func (p *Page) RunsTable(caption string) Table { return Table{p, caption, p.Runs} }

// PointsAt are the restore points at a destination; nil where nobody asked.
func (p *Page) PointsAt(destination string) *Points {
	if points, ok := p.Points[destination]; ok {
		return &points
	}
	return nil
}

// Sentence says how the backups of a module at a destination are.
func (p *Page) Sentence(b *status.Protection) string {
	last := b.LastOf(status.Backup)
	if last == nil {
		return "No backup is known yet."
	}
	words := map[status.Outcome]string{
		status.Done: "The last backup is good", status.Partial: "The last backup is not complete", status.Failed: "The last backup failed",
		status.Missed: "The last backup was missed: nobody ran it", status.Skipped: "The last backup was skipped",
		status.Overdue: "The next backup is overdue; the last one came to: " + string(last.Outcome),
	}
	text := words[b.Outcome] + ", " + p.Ago(last.Ended)
	if last.Error != "" {
		text += ": " + strings.TrimRight(last.Error, ". \n")
	}
	return text + "."
}
