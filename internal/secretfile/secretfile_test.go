package secretfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadTakesOneLineHoweverItWasSaved(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, want, err string }{
		"a line":               {"hunter2\n", "hunter2", ""},
		"without its end":      {"hunter2", "hunter2", ""},
		"spaces are its own":   {" hunter 2 \r\n", " hunter 2 ", ""},
		"of Windows":           {"\xff\xfeh\x00i\x00\r\x00\n\x00", "hi", ""},
		"a byte order mark":    {"\xef\xbb\xbfhunter2\n", "hunter2", ""},
		"empty":                {"\n", "", "is empty"},
		"two lines":            {"hunter2\nhunter3\n", "", "more than one line"},
		"something not a text": {"\x00hunter2", "", "is no text"},
	} {
		path := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path)
		if got != test.want || (err == nil) != (test.err == "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hunter")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneOfSeveralSources(t *testing.T) {
	t.Parallel()
	if got, err := One("it", Value("$A", ""), Value("$B", "b")); got != "b" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := One("it", Value("$A", ""), File("--b", "")); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := One("it", Value("$A", "hunter2"), File("--b", "/nonexistent")); err == nil || err.Error() != "it is given twice, by $A and by --b: give one of them" {
		t.Errorf("%v", err)
	}
	if _, err := One("it", File("--b", "/nonexistent")); err == nil || !strings.HasPrefix(err.Error(), "--b: ") {
		t.Errorf("%v", err)
	}
}
