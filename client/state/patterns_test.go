package state

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReadIncludes(t *testing.T) {
	tests := map[string]struct {
		content  string
		patterns []string
		warnings []string // words of each
	}{
		"plain lines":                     {"state/a\nvolumes/data\n", []string{"state/a", "volumes/data"}, nil},
		"a last line without its end":     {"volumes/data", []string{"volumes/data"}, nil},
		"ends of lines of Windows":        {"state/a\r\nvolumes/data\r\n", []string{"state/a", "volumes/data"}, nil},
		"comments, blank lines, spaces":   {"# one\n\n   \n \tstate/a b \n  # two\n", []string{"state/a b"}, nil},
		"a byte order mark":               {"\ufeffstate/a\n", []string{"state/a"}, nil},
		"wildcards":                       {"state/*.dump\nvolumes/*/x\nvolumes/d[ab]ta\n", []string{"state/*.dump", "volumes/*/x", "volumes/d[ab]ta"}, nil},
		"what lies elsewhere":             {"/etc\nstate\nhome/x\n./state/x\nvolumesx/y\n", nil, []string{`"/etc" begins neither`, `"state" begins`, `"home/x" begins`, `"./state/x" begins`, `"volumesx/y" begins`}},
		"what tries to leave":             {"state/../../etc\nvolumes/data/..\nstate/a..b\n", []string{"state/a..b"}, []string{`"state/../../etc" leaves`, `"volumes/data/.." leaves`}},
		"an invalid pattern":              {"state/[\n", nil, []string{"not a valid pattern"}},
		"a comment behind a name":         {"volumes/data # the data\n", []string{"volumes/data # the data", "volumes/data"}, []string{"a line of its own"}},
		"a hash in a name":                {"state/a#b\n", []string{"state/a#b"}, nil},
		"a name with dashes and a quote":  {"state/-rf \"x\n", []string{`state/-rf "x`}, nil},
		"bytes that are no valid unicode": {"state/\xff\xfe\n", []string{"state/\xff\xfe"}, nil},
		"nothing":                         {"", nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in, err := ReadIncludes(installDirWith(t, "etc/state-include.conf", test.content))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(in.Patterns, test.patterns) {
				t.Errorf("patterns = %q, want %q", in.Patterns, test.patterns)
			}
			if len(in.Warnings) != len(test.warnings) {
				t.Fatalf("warnings = %q, want %d", in.Warnings, len(test.warnings))
			}
			for i, words := range test.warnings {
				if !strings.Contains(in.Warnings[i], words) {
					t.Errorf("warning %q does not say %q", in.Warnings[i], words)
				}
			}
		})
	}
}

func TestReadIncludesRefuses(t *testing.T) {
	tests := map[string]struct{ content, words string }{
		"ten megabytes": {strings.Repeat("state/a\n", 10<<20/8), "10485760 bytes, too large for a file of patterns"},
		"binary noise":  {"\x7fELF\x02\x01\x01\x00\x00", "is not a text file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ReadIncludes(installDirWith(t, "etc/state-include.conf", test.content))
			if err == nil || !strings.Contains(err.Error(), test.words) {
				t.Errorf("error = %v, want one that says %q", err, test.words)
			}
		})
	}
}

func TestReadIncludesWithoutAFile(t *testing.T) {
	in, err := ReadIncludes(t.TempDir())
	if err != nil || in.Patterns != nil || in.Warnings != nil {
		t.Errorf("readIncludes = %+v, %v", in, err)
	}
}

func TestVolumeNames(t *testing.T) {
	in := parseIncludes([]string{
		"volumes/data", "volumes/db/sub/file", "volumes/data/x", "volumes/*/y", "volumes/", "state/volumes/no",
		"volumes/web # comment", "volumes/--privileged", "volumes/a b",
	})
	if got, want := in.VolumeNames(), []string{"data", "db", "web"}; !slices.Equal(got, want) {
		t.Errorf("volumeNames = %q, want %q", got, want)
	}
}

func TestReadExcludesFromBothPlaces(t *testing.T) {
	dir := installDirWith(t, "etc/state-exclude.conf", "*.log\n[\n!keep.log\n")
	if err := os.WriteFile(filepath.Join(dir, "state-exclude.conf"), []byte("volumes/data/tmp"), 0o600); err != nil {
		t.Fatal(err)
	}
	ex, err := ReadExcludes(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"*.log", "!keep.log", "volumes/data/tmp"}; !slices.Equal(ex.Patterns, want) {
		t.Errorf("patterns = %q, want %q", ex.Patterns, want)
	}
	if len(ex.Warnings) != 1 {
		t.Errorf("warnings = %q, want one", ex.Warnings)
	}
}

func FuzzParseIncludes(f *testing.F) {
	f.Add("state/a\nvolumes/x # y\n../state")
	f.Fuzz(func(t *testing.T, content string) {
		in, err := ReadIncludes(installDirWith(t, "etc/state-include.conf", content))
		if err != nil {
			return
		}
		for _, pattern := range in.Patterns {
			if strings.ContainsAny(pattern, "\n\x00") || slices.Contains(strings.Split(pattern, "/"), "..") {
				t.Errorf("pattern %q got through", pattern)
			}
		}
	})
}

// installDirWith makes an install directory with one file.
func installDirWith(t *testing.T, name, content string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
