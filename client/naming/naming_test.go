package naming

import (
	"slices"
	"strings"
	"testing"
)

const (
	disk   = "14030a59-a4e6-54cc-b8ea-cd5f97fe44c8"
	cloud  = "14030a59-b8ea-5bab-9af5-000000000001"
	second = "76d73f29-7446-5baf-a700-3ad39be75475"
)

var destinations = []Entry{{ID: disk, Name: "Disk"}, {ID: cloud, Name: "Cloud"}, {ID: second, Name: "Cloud"}}

func TestWhatAWordMeans(t *testing.T) {
	t.Parallel()
	modules := []Entry{{ID: "mail1", UUID: disk}, {ID: "mail10", UUID: second, Name: "Mail of Rome"}}
	schedules := []Entry{{ID: "1", Name: "nightly"}, {ID: "2", Name: "1"}, {ID: "12", Name: "Weekly"}}
	for _, tt := range []struct {
		name, word string
		entries    []Entry
		want, err  string
	}{
		{"an ID", disk, destinations, disk, ""},
		{"a name", "Disk", destinations, disk, ""},
		{"a name in other letters", "disk", destinations, disk, ""},
		{"the beginning of an ID", "76d7", destinations, second, ""},
		{"the beginning of two IDs", "14030a59", destinations, "", `means more than one destination: give the ID of one of ` + disk + ` (Disk), ` + cloud + ` (Cloud)`},
		{"too little of an ID", "76d", destinations, "", `destination 76d does not exist`},
		{"a name that two have", "Cloud", destinations, "", "means more than one destination"},
		{"a name that nearly fits", "Dsik", destinations, "", `destination Dsik does not exist: did you mean ` + disk + ` (Disk)?`},
		{"a UUID of a module", second, modules, "mail10", ""},
		{"a module's own name", "mail of rome", modules, "mail10", ""},
		{"a module before one whose name begins so", "mail1", modules, "mail1", ""},
		{"a number before a name", "1", schedules, "1", ""},
		{"no beginning of a number", "1x", schedules, "", "destination 1x does not exist"},
		{"nothing", "", append(schedules, Entry{ID: "7"}), "", `destination "" does not exist`},
		{"what a terminal must not see", "\x1b[2J", schedules, "", `destination ?[2J does not exist`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Resolve("destination", tt.word, tt.entries)
			if tt.err == "" {
				if err != nil || got.ID != tt.want {
					t.Errorf("%q means %q, %v; want %q", tt.word, got.ID, err, tt.want)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q means %q, %v; want an error with %q", tt.word, got.ID, err, tt.err)
			}
		})
	}
}

func TestWhatIsNear(t *testing.T) {
	t.Parallel()
	commands := []string{"add", "list", "show", "alter", "remove", "check", "import", "export"}
	for word, want := range map[string][]string{
		"lsit": {"list"}, "chekc": {"check"}, "delete": nil, "exprt": {"export"}, "imp": {"import"},
		"REMOVE": {"remove"}, "x": nil, "": nil, strings.Repeat("a", 5000): nil,
	} {
		if got := Near(word, commands); !slices.Equal(got, want) {
			t.Errorf("near %.20q is %q, want %q", word, got, want)
		}
	}
	if got := DidYouMean("lsit", commands); got != ": did you mean list?" {
		t.Errorf("it says %q", got)
	}
	if got := DidYouMean("nothing like it", commands); got != "" {
		t.Errorf("it says %q", got)
	}
}
