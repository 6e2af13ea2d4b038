package restic

import "testing"

func TestExcluded(t *testing.T) {
	tests := map[string]struct {
		lines []string
		name  string
		want  bool
	}{
		"a name in any directory":              {[]string{"*.log"}, "/srv/volumes/data/a.log", true},
		"another name":                         {[]string{"*.log"}, "/srv/volumes/data/a.txt", false},
		"what is below a directory":            {[]string{"cache"}, "/srv/volumes/data/cache/x/y", true},
		"a path in any directory":              {[]string{"data/tmp"}, "/srv/volumes/data/tmp/x", true},
		"a path whose parts are apart":         {[]string{"data/tmp"}, "/srv/volumes/data/x/tmp", false},
		"a slash at the end":                   {[]string{"cache/"}, "/srv/cache", true},
		"an anchored path":                     {[]string{"/srv/state/x"}, "/srv/state/x", true},
		"an anchored path, deeper down":        {[]string{"/state/x"}, "/srv/state/x", false},
		"a directory above an anchored one":    {[]string{"/srv/state/x"}, "/srv/state", false},
		"any number of directories":            {[]string{"/srv/**/x"}, "/srv/a/b/x", true},
		"no directories":                       {[]string{"/srv/**/x"}, "/srv/x", true},
		"the last one decides":                 {[]string{"*.log", "!keep.log"}, "/srv/keep.log", false},
		"an exception that comes too early":    {[]string{"!keep.log", "*.log"}, "/srv/keep.log", true},
		"an escaped wildcard":                  {[]string{`\*.log`}, "/srv/a.log", false},
		"without patterns nothing is left out": {nil, "/srv/a.log", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var excludes []Exclude
			for _, line := range test.lines {
				excludes = append(excludes, ParseExclude(line))
			}
			if got := Excluded(excludes, test.name); got != test.want {
				t.Errorf("Excluded = %v, want %v", got, test.want)
			}
		})
	}
}
