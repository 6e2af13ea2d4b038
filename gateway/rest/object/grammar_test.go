package object

import (
	"io/fs"
	"strings"
	"testing"
)

const (
	testRepo = "traefik/0ab7b5c8-5a0c-4ff0-8ee9-c9d1e8e1b5a1"
	testName = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" // of "test"
)

func TestParse(t *testing.T) {
	type object struct {
		repo string
		typ  Type
		name string
	}
	for _, tt := range []struct {
		about, path string
		want        object
	}{
		{"the repository", testRepo + "/", object{testRepo, Root, ""}},
		{"its config", testRepo + "/config", object{testRepo, Config, ""}},
		{"list of data", testRepo + "/data/", object{testRepo, Data, ""}},
		{"list of keys", testRepo + "/keys/", object{testRepo, Keys, ""}},
		{"list of locks", testRepo + "/locks/", object{testRepo, Locks, ""}},
		{"list of snapshots", testRepo + "/snapshots/", object{testRepo, Snapshots, ""}},
		{"list of index", testRepo + "/index/", object{testRepo, Index, ""}},
		{"a pack", testRepo + "/data/" + testName, object{testRepo, Data, testName}},
		{"a lock", testRepo + "/locks/" + testName, object{testRepo, Locks, testName}},
	} {
		t.Run(tt.about, func(t *testing.T) {
			repo, typ, name, ok := Parse(tt.path)
			if got := (object{repo, typ, name}); !ok || got != tt.want {
				t.Errorf("Parse(%q) = %+v, %v; want %+v", tt.path, got, ok, tt.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for about, path := range map[string]string{
		"nothing":                         "",
		"a slash":                         "/",
		"one segment":                     "traefik",
		"one segment with a slash":        "traefik/",
		"the repository without a slash":  testRepo,
		"an empty app":                    "/uuid/",
		"an empty UUID":                   "traefik//",
		"a leading slash":                 "/" + testRepo + "/",
		"a doubled slash behind the repo": testRepo + "//",
		"a doubled slash in a type":       testRepo + "/data//" + testName,
		"a dot segment as UUID":           "traefik/../config",
		"a dot segment as app":            "./uuid/config",
		"a dot segment as name":           testRepo + "/locks/..",
		"config as a directory":           testRepo + "/config/",
		"config in capitals":              testRepo + "/Config",
		"a type without a slash":          testRepo + "/data",
		"a type that does not exist":      testRepo + "/packs/",
		"the name of the root's type":     testRepo + "/" + Root.String() + "/",
		"an upper-case name":              testRepo + "/data/" + strings.ToUpper(testName),
		"a name of 63 digits":             testRepo + "/data/" + testName[1:],
		"a name of 65 digits":             testRepo + "/data/0" + testName,
		"a name with a letter too many":   testRepo + "/data/g" + testName[1:],
		"a name followed by a slash":      testRepo + "/data/" + testName + "/",
		"the shard of the storage":        testRepo + "/data/9f/" + testName,
		"a repository one level deeper":   "a/" + testRepo + "/config",
	} {
		t.Run(about, func(t *testing.T) {
			if repo, typ, name, ok := Parse(path); ok || repo != "" || typ != Root || name != "" {
				t.Errorf("Parse(%q) = %q, %v, %q, %v; want a refusal", path, repo, typ, name, ok)
			}
		})
	}
}

func TestTypeString(t *testing.T) {
	if got := Index.String(); got != "index" {
		t.Errorf("Index.String() = %q", got)
	}
	if got := Type(200).String(); got != "unknown" {
		t.Errorf("Type(200).String() = %q", got)
	}
}

// What is accepted is exactly what its parts spell, and a name that any Store
// takes and that stays inside the repository.
func FuzzParse(f *testing.F) {
	for _, path := range []string{
		testRepo + "/", testRepo + "/config", testRepo + "/data/", testRepo + "/locks/" + testName,
		"a/../data/", "a/b//", "a/b/data/%2e%2e", "a/b/locks/../config", "\x00/b/config",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		repo, typ, name, ok := Parse(path)
		if !ok {
			return
		}
		spelt := repo + "/"
		switch {
		case typ == Config:
			spelt += "config"
		case typ != Root:
			spelt += typ.String() + "/" + name
		}
		if spelt != path {
			t.Errorf("Parse(%q) is spelt %q", path, spelt)
		}
		stored := StoredName(repo, typ, name)
		if !fs.ValidPath(stored) || stored != repo && !strings.HasPrefix(stored, repo+"/") {
			t.Errorf("Parse(%q) leads to %q in the store", path, stored)
		}
	})
}
