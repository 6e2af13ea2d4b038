package object

import (
	"strings"
	"testing"
)

func TestParseStored(t *testing.T) {
	for _, tt := range []struct {
		typ  Type
		name string
	}{{Config, ""}, {Keys, testName}, {Locks, testName}, {Snapshots, testName}, {Index, testName}, {Data, testName}} {
		path := StoredName(testRepo, tt.typ, tt.name)
		if repo, typ, name, ok := ParseStored(path); !ok || repo != testRepo || typ != tt.typ || name != tt.name {
			t.Errorf("ParseStored(%q) = %q, %v, %q, %v", path, repo, typ, name, ok)
		}
	}
	for about, path := range map[string]string{
		"nothing":               "",
		"the repository":        testRepo + "/",
		"a type":                testRepo + "/data/",
		"a type of objects":     testRepo + "/keys/",
		"a pack without shard":  testRepo + "/data/" + testName,
		"a shard that is wrong": testRepo + "/data/9e/" + testName,
		"a shard of three":      testRepo + "/data/9f8/" + testName,
		"a shard alone":         testRepo + "/data/9f/",
		"a key in a shard":      testRepo + "/keys/9f/" + testName,
		"another name":          testRepo + "/data/9f/9f",
		"config in a shard":     testRepo + "/data/co/config",
		"deeper":                "a/" + testRepo + "/data/9f/" + testName,
		"two shards":            testRepo + "/data/9f/9f/" + testName,
		"outside a repository":  "a/data/9f/" + testName,
	} {
		if repo, typ, name, ok := ParseStored(path); ok || repo != "" || typ != Root || name != "" {
			t.Errorf("%s: ParseStored(%q) = %q, %v, %q, %v; want a refusal", about, path, repo, typ, name, ok)
		}
	}
}

func TestPartOf(t *testing.T) {
	for path, want := range map[string]Part{
		".":                                Outside,
		"app":                              Outside,
		testRepo:                           Outside,
		testRepo + ".json":                 Outside,
		testRepo + "/notes":                Outside,
		testRepo + "/notes/data/9f":        Outside,
		"data/keys":                        Outside,
		testRepo + "/config":               Inside,
		testRepo + "/config/x":             Inside,
		testRepo + "/data":                 Directory,
		testRepo + "/keys":                 Directory,
		testRepo + "/index":                Directory,
		testRepo + "/data/9f":              Directory,
		testRepo + "/data/9F":              Inside,
		testRepo + "/data/9f/" + testName:  Inside,
		testRepo + "/data/9f/x":            Inside,
		testRepo + "/data/" + testName:     Inside,
		testRepo + "/keys/9f":              Inside,
		testRepo + "/keys/" + testName:     Inside,
		testRepo + "/data/9f/deep/er/name": Inside,
	} {
		if got := PartOf(path); got != want {
			t.Errorf("PartOf(%q) = %d; want %d", path, got, want)
		}
	}
}

// What ParseStored accepts lies inside a repository, under exactly that name.
func FuzzParseStored(f *testing.F) {
	f.Add(testRepo + "/data/9f/" + testName)
	f.Add(testRepo + "/config")
	f.Add(testRepo + "/data/" + testName)
	f.Fuzz(func(t *testing.T, path string) {
		repo, typ, name, ok := ParseStored(path)
		if !ok {
			return
		}
		if StoredName(repo, typ, name) != path || PartOf(path) != Inside || strings.Contains(path, "..") {
			t.Errorf("%q is %q, %v, %q", path, repo, typ, name)
		}
	})
}
