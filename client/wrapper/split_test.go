package wrapper

import (
	"slices"
	"strings"
	"testing"
)

func TestSplitWrapperArgs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want wrapperArgs
	}{
		"restic's flags stay in their order": {
			[]string{"forget", "--dry-run", "--keep-last", "3", "-v"},
			wrapperArgs{restic: []string{"forget", "--dry-run", "--keep-last", "3", "-v"}},
		},
		"ours are taken out wherever they stand": {
			[]string{"--module", "m1", "snapshots", "--backup=10", "--json", "--destination", "d", "--repopath=a/u"},
			wrapperArgs{module: "m1", backup: "10", destination: "d", repopath: "a/u", restic: []string{"snapshots", "--json"}},
		},
		"podman's arguments add up, and may be flags": {
			[]string{"--podman", "--volume=/a b:/mnt", "--podman=--tty", "ls", "latest"},
			wrapperArgs{podman: []string{"--volume=/a b:/mnt", "--tty"}, restic: []string{"ls", "latest"}},
		},
		"what only begins like ours is restic's": {
			[]string{"--modules", "x", "--shown", "--show=yes", "module"},
			wrapperArgs{restic: []string{"--modules", "x", "--shown", "--show=yes", "module"}},
		},
		"behind -- nothing is ours": {
			[]string{"--module=m1", "backup", "--", "--module=m2", "--show"},
			wrapperArgs{module: "m1", restic: []string{"backup", "--", "--module=m2", "--show"}},
		},
		"-- before restic's command ends our options, and is no word for restic": {
			[]string{"--module=m1", "--", "forget", "--module=m2", "--", "--show"},
			wrapperArgs{module: "m1", restic: []string{"forget", "--module=m2", "--", "--show"}},
		},
		"behind such a -- even help is restic's": {
			[]string{"--", "--help"},
			wrapperArgs{restic: []string{"--help"}},
		},
		"odd words survive": {
			[]string{"find", "", " ", "-", "it's \"quoted\"", "a=b", "\n"},
			wrapperArgs{restic: []string{"find", "", " ", "-", "it's \"quoted\"", "a=b", "\n"}},
		},
		"--help before a command is ours": {[]string{"--help"}, wrapperArgs{help: true}},
		"--help behind it is restic's":    {[]string{"ls", "--help"}, wrapperArgs{restic: []string{"ls", "--help"}}},
		"--show needs no command":         {[]string{"--show"}, wrapperArgs{show: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := splitWrapperArgs(c.args)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.restic, c.want.restic) || !slices.Equal(got.podman, c.want.podman) {
				t.Errorf("got restic %q, podman %q", got.restic, got.podman)
			}
			got.restic, got.podman, c.want.restic, c.want.podman = nil, nil, nil, nil
			if got.module != c.want.module || got.backup != c.want.backup || got.destination != c.want.destination ||
				got.repopath != c.want.repopath || got.show != c.want.show || got.help != c.want.help {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestSplitWrapperArgsNeedsValues(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--module"}, {"--backup="}, {"ls", "--podman"}, {"--repopath", ""}} {
		if got, err := splitWrapperArgs(args); err == nil {
			t.Errorf("%q gives %+v", args, got)
		}
	}
}

// FuzzSplit mixes our options into restic's arguments: every token that is not
// ours survives, in order, but for a "--" before all of them, and every one of ours
// is heard.
func FuzzSplit(f *testing.F) {
	f.Add("forget\n--dry-run\n--keep-last\n3", "m1", uint(1))
	f.Add("backup\n--\n--module\nx", "--show", uint(0))
	f.Add("--modules\n\n-h\n=", "=", uint(3))
	f.Add("--\nforget\n--", "m1", uint(0))
	f.Fuzz(func(t *testing.T, lines, value string, at uint) {
		var tokens []string
		end := -1 // where "--" is
		for token := range strings.SplitSeq(lines, "\n") {
			if end < 0 && isOurs(token) {
				continue
			}
			if end < 0 && token == "--" {
				end = len(tokens)
			}
			tokens = append(tokens, token)
		}
		if len(tokens) > 0 && (tokens[0] == "-h" || tokens[0] == "--help") || value == "" {
			return
		}
		places := len(tokens) + 1
		if end >= 0 {
			places = end + 1
		}
		mixed := tokens
		for i, ours := range [][]string{{"--module", value}, {"--podman=" + value}, {"--show"}, {"--backup=" + value}} {
			// The later ones go before the earlier ones, so that none is split.
			place := min(int(at>>(4*i))%places, int(at%uint(places)))
			mixed = slices.Insert(slices.Clone(mixed), min(place, firstOurs(mixed, places-1)), ours...)
		}
		got, err := splitWrapperArgs(mixed)
		if err != nil {
			t.Fatalf("%q: %v", mixed, err)
		}
		want := tokens
		if end == 0 {
			want = tokens[1:]
		}
		if !slices.Equal(got.restic, want) {
			t.Errorf("%q leaves %q, want %q", mixed, got.restic, want)
		}
		if got.module != value || got.backup != value || !got.show || !slices.Equal(got.podman, []string{value}) {
			t.Errorf("%q gives %+v", mixed, got)
		}
	})
}

func isOurs(token string) bool {
	name, _, _ := strings.Cut(token, "=")
	return token == "--show" || slices.Contains([]string{"--module", "--backup", "--destination", "--repopath", "--podman"}, name)
}

// firstOurs is the place of the first of our options, or else last.
func firstOurs(args []string, last int) int {
	if i := slices.IndexFunc(args, isOurs); i >= 0 {
		return min(i, last)
	}
	return last
}
