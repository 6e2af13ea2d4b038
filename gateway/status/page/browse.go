package page

import (
	"net/url"
	"path"
	"strings"
	"time"
)

// Place is a directory or a file of a snapshot.
type Place struct{ Repository, Destination, Snapshot, Path string }

// File is an entry of a directory.
type File struct {
	Name, Type string
	Size       uint64
	Modified   time.Time
}

// IsDir reports whether it is a directory.
func (f File) IsDir() bool { return f.Type == "dir" }

// Whole reports whether it can be downloaded.
func (f File) Whole() bool { return f.Type == "dir" || f.Type == "file" }

// link returns the URL of a place: its list, or its content.
func (at Place) link(suffix string) string {
	query := url.Values{"destination": {at.Destination}}
	if at.Path != "/" && at.Path != "" {
		query.Set("path", at.Path)
	}
	return Base + "/modules/" + at.Repository + "/snapshots/" + at.Snapshot + suffix + "?" + query.Encode()
}

// Link returns the URL of a place's list.
func (at Place) Link() string { return at.link("") }

// Download returns the URL of a place's content.
func (at Place) Download() string { return at.link("/content") }

// Below returns the place of an entry.
func (at Place) Below(name string) Place {
	at.Path = path.Join("/", at.Path, name)
	return at
}

// Step is a directory on the path to a place.
type Step struct {
	Name  string
	Place Place
}

// Steps returns the directories on the path to a place, including it.
func (at Place) Steps() []Step {
	root := at
	root.Path = "/"
	steps := []Step{{"all", root}}
	for name := range strings.SplitSeq(strings.Trim(at.Path, "/"), "/") {
		if name != "" {
			steps = append(steps, Step{name, steps[len(steps)-1].Place.Below(name)})
		}
	}
	return steps
}

// PlaceOf returns the root of a snapshot.
func (p *Page) PlaceOf(destination, snapshot string) Place {
	return Place{p.Module.Path(), destination, snapshot, "/"}
}
