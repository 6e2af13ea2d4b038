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

// Base is the path of the pages.
const Base = "/-/status"

//go:embed html
var files embed.FS

// Style is the stylesheet. StylePath is its path, which contains its hash, so that it can
// be cached forever.
var (
	Style     = mustRead("html/style.css")
	StylePath = Base + "/style-" + shortHash(Style) + ".css"
)

// Script updates running tasks. ScriptPath is its path, for the page of runs.
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

// Page is the data of one page. Facts is nil if nobody is logged in.
type Page struct {
	*Chrome

	Facts *status.Facts

	// The subject of some pages.
	Module      *status.Module
	Destination *status.Destination
	Runs        []status.Run
	Query       status.Query
	Points      map[string]Points // by destination

	// Actions is true if the pages offer actions; Action is the present one.
	Actions bool
	Action  *Action
	Log     RunLog
	// Browses is true if files of snapshots can be shown. Place is the directory of the
	// page, Files its entries; More says that there are more.
	Browses bool
	Place   *Place
	Files   []File
	More    bool
	// Moves is true for a page with the script.
	Moves bool

	// For the login.
	Message, Name, Next string

	paths, names, destined map[string]string // by ID
}

// Chrome is the data around a page's content.
type Chrome struct {
	Title string
	// User is the logged-in user, Token is sent back by forms; both are empty if nobody is
	// logged in.
	User, Token string
	// Path is the path of the page.
	Path string
}

// Points are the restore points of a module at a destination, or why they are unknown.
type Points struct {
	Points []Point
	Error  string
}

// Point is a snapshot, as known by the storage.
type Point struct {
	ID       string
	Received time.Time
}

// Short returns the short ID.
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

// Pages returns the links of the navigation.
func (p *Page) Pages() []Link {
	links := slices.Clone(sections)
	for i := range links {
		links[i].Current = p.Path == links[i].Path
	}
	return links
}

// Render renders the page with a template: overview, attentions, modules, module,
// destinations, destination, runspage, run, browse, activity, gateways, act, acted or
// login.
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

// Fragment renders a part of a page, by its template: live.
func (p *Page) Fragment(name string) ([]byte, error) {
	p.index()
	var content bytes.Buffer
	err := templates.ExecuteTemplate(&content, name, p)
	return content.Bytes(), err
}

// index prepares the lookup of names.
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

// PathOf returns APP/UUID of a module, "" if it no longer exists.
func (p *Page) PathOf(module string) string { return p.paths[module] }

// ModuleName returns the name of a module.
func (p *Page) ModuleName(id string) string { return cmp.Or(p.names[id], id) }

// DestinationName returns the name of a destination.
func (p *Page) DestinationName(id string) string { return cmp.Or(p.destined[id], id) }

// Zone returns the time zone of all times.
func (p *Page) Zone() string {
	name, _ := p.Facts.Time.In(p.Facts.Zone).Zone()
	return "times are in " + name
}

// Kinds returns the kinds by which runs can be filtered.
func (p *Page) Kinds() []status.Kind { return status.Kinds }

// OutcomeWords returns the outcomes by which runs can be filtered.
func (p *Page) OutcomeWords() []status.Outcome {
	return []status.Outcome{status.Done, status.Partial, status.Failed, status.Missed, status.Skipped}
}

// Column is a destination in the grid.
type Column struct{ ID, Name string }

// Columns returns the destinations with backups of modules.
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

// Rows returns the modules, those that need attention first.
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

// DayCount returns the number of days in the grid.
func (p *Page) DayCount() int { return status.Days }

// FirstDay returns the oldest day of the grid.
func (p *Page) FirstDay() string { return newDays(p.Facts).words[0] }

// LastDay returns today.
func (p *Page) LastDay() string { return newDays(p.Facts).words[status.Days-1] }

// Attentions is a list of problems.
type Attentions struct {
	Page  *Page
	Items []status.Attention
	More  int
}

// Most returns the first n; 0 returns all.
func (p *Page) Most(n int) Attentions {
	items := p.Facts.Attention
	if n == 0 || n > len(items) {
		n = len(items)
	}
	return Attentions{p, items[:n], len(items) - n}
}

// About returns the problem of the page's subject; nil if there is none.
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

// RunsTable returns the table of the page's runs.
func (p *Page) RunsTable(caption string) Table { return Table{p, caption, p.Runs} }

// PointsAt returns the restore points at a destination; nil if they were not read.
func (p *Page) PointsAt(destination string) *Points {
	if points, ok := p.Points[destination]; ok {
		return &points
	}
	return nil
}

// Sentence describes the backups of a module at a destination.
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
