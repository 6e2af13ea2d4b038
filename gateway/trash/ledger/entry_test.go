package ledger

import (
	"io/fs"
	"strings"
	"testing"
	"time"
)

func TestEntriesAreParsedAsTheyAreNamed(t *testing.T) {
	t.Parallel()
	received := time.Date(2026, 11, 29, 20, 0, 0, 0, time.UTC)
	for _, kind := range Kinds {
		o := Ref{"mail/3f3ff1c3-cbaf-4b7d-8c1c-2e1b7e0c4a11", kind, strings.Repeat("ab", 32)}
		if kind == Config {
			o.Name = Config
		}
		name := entryName(o, received, received.Add(time.Hour), received.Add(2*time.Hour))
		if len(name) > 143 {
			t.Errorf("the name %s is too long for file systems that encrypt names", name)
		}
		e, ok := parseEntry(o.Repo, dirKept, named(name))
		if !ok || e.Ref() != o || !e.Received.Equal(received) || !e.Expires.Equal(received.Add(2*time.Hour)) {
			t.Errorf("%s reads as %+v, %v", name, e, ok)
		}
	}
	for _, name := range []string{"", "config", "data_x_r-_d-_e-", "data__r-_d20261129T200000.000Z_e20261129T200000.000Z", "config_other_r-_d20261129T200000.000Z_e20261129T200000.000Z"} {
		if e, ok := parseEntry("mail/x", dirKept, named(name)); ok {
			t.Errorf("%q reads as %+v", name, e)
		}
	}
}

type named string

func (n named) Name() string     { return string(n) }
func (named) Size() int64        { return 0 }
func (named) Mode() fs.FileMode  { return 0 }
func (named) ModTime() time.Time { return time.Time{} }
func (named) IsDir() bool        { return false }
func (named) Sys() any           { return nil }
