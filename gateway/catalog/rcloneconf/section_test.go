package rcloneconf

import (
	"maps"
	"strings"
	"testing"

	"github.com/unknwon/goconfig" //nolint:misspell // a name
)

const destID = "b6f0639c-4276-5b7b-8752-eda8eda282db"

func TestSectionValuesSurviveLiterally(t *testing.T) {
	long := strings.Repeat("x=y;#%", 700)
	for _, tt := range []struct{ name, line, key, value string }{
		{"a plain one", "account = abc", "account", "abc"},
		{"no spaces", "account=abc", "account", "abc"},
		{"white space around", " \t account \t = \t abc \t ", "account", "abc"},
		{"empty", "account =", "account", ""},
		{"an equals sign", "key = a=b==", "key", "a=b=="},
		{"a colon", "url = http://h:80/", "url", "http://h:80/"},
		{"a colon for the equals sign, as rclone takes it", "key: a=b", "key", "a=b"},
		{"a percent sign", "pass = 100%", "pass", "100%"},
		{"what would be an interpolation", "pass = %(type)s%%", "pass", "%(type)s%%"},
		{"a hash sign and a semicolon", "pass = a #b ;c", "pass", "a #b ;c"},
		{"a hash sign first", "pass = #b", "pass", "#b"},
		{"double quotes", `pass = "a"`, "pass", `"a"`},
		{"single quotes", `pass = 'a'`, "pass", `'a'`},
		{"a backslash", `pass = a\n\`, "pass", `a\n\`},
		{"a back quote inside", "pass = a`b", "pass", "a`b"},
		{"a lone back quote", "pass = `", "pass", "`"},
		{"back quotes around, which rclone drops", "pass = ` a `", "pass", " a "},
		{"back quotes around with more behind", "pass = `a`b`c", "pass", "a`b"},
		{"triple quotes around, which rclone drops", `pass = """ "a" """`, "pass", ` "a" `},
		{"five double quotes", `pass = """""`, "pass", `"""""`},
		{"brackets", "pass = [a]", "pass", "[a]"},
		{"unicode", "pass = bàck<up>&\u2028日本", "pass", "bàck<up>&\u2028日本"},
		{"4 kB", "pass = " + long, "pass", long},
		{"an override for one remote", "override.no_check = true", "override.no_check", "true"},
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			t.Run(tt.name+strings.ReplaceAll(eol, "\r\n", " with CRLF"), func(t *testing.T) {
				text := strings.Join([]string{"[" + destID + "]", "type = x", tt.line, ""}, eol)
				name, values, err := Parse(text)
				if err != nil || name != destID {
					t.Fatalf("name %q, error %v", name, err)
				}
				if want := map[string]string{"type": "x", tt.key: tt.value}; !maps.Equal(values, want) {
					t.Errorf("got %q, want %q", values, want)
				}
			})
		}
	}
}

func TestSectionIgnoresCommentsAndBlankLines(t *testing.T) {
	name, values, err := Parse("\ufeff\n# a = 1\n\n [ d ] \n;b = 2\n\n  # c\ntype = s3\n\t\ntype = b2")
	if want := map[string]string{"type": "b2"}; err != nil || name != "d" || !maps.Equal(values, want) {
		t.Errorf("%q %q %v", name, values, err)
	}
}

func TestSectionErrorsNameTheLineAndNoValue(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "no [name]"},
		{"only comments", "# SECRET = 1\n", "no [name]"},
		{"a value before the name", "\nkey = SECRET\n[d]\n", "line 2: text before"},
		{"two sections", "[d]\na = SECRET\n[SECRET]\n", "line 3: a second section"},
		{"an empty name", "[ ]\nkey = SECRET\n", "line 1: section name"},
		{"no equals sign", "[d]\nSECRET\n", "line 2: no \"=\""},
		{"no key", "[d]\n= SECRET\n", "line 2: what stands before"},
		{"a key with a space", "[d]\nmy SECRET = 1\n", "line 2: what stands before"},
		{"a key in quotes", "[d]\n\"SECRET\" = 1\n", "line 2: what stands before"},
		{"a back quote that is not closed", "[d]\nkey = `SECRET\n", "line 2: a quote"},
		{"triple quotes that are not closed", "[d]\nkey = \"\"\"SECRET\n", "line 2: a quote"},
		{"a section name that is not closed", "[SECRET\n", "line 1: text before"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, values, err := Parse(tt.text)
			if err == nil || values != nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("got %q, error %v", values, err)
			}
		})
	}
}

func TestFormatPutsTheTypeFirst(t *testing.T) {
	got, err := Format("d", map[string]string{"zone": "z", "type": "s3", "account": " a`b "})
	if want := "[d]\ntype = s3\naccount = \"\"\" a`b \"\"\"\nzone = z\n"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFormatRefusesWhatASectionCannotHold(t *testing.T) {
	for name, tt := range map[string]struct {
		section    string
		key, value string
	}{
		"a value of two lines": {"d", "pass", "SECRET\nSECRET"},
		"no name":              {"", "a", "b"},
		"a name of two lines":  {"d\n[e", "a", "b"},
		"a key of two lines":   {"d", "a\nSECRET", "b"},
		"an empty key":         {"d", "", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Format(tt.section, map[string]string{tt.key: tt.value})
			if err == nil || got != "" || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// FuzzSection holds the parser to what rclone's own loader reads, and the writer
// to the parser.
func FuzzSection(f *testing.F) {
	for _, text := range []string{
		"[" + destID + "]\ntype = s3\nprovider = Other\nenv_auth = true\naccess_key_id = a\nsecret_access_key = s/+%=\nendpoint = h:9000\n",
		"[d]\r\ntype: b2\r\n# c\r\nkey = `a`b`\r\n", "[d]\na = \"\"\"b\"\"\"\"\n", "[d]\na=\"\"\"\"\"\"\n",
		"\ufeff[d]\n;x\na.b-c = \u00a0x\u00a0\n", "[d]\na = %(b)s\nb = 1", "[[d]]\na=\x00\r\nb=\rx", "[d]\na = '`'", "a", "[", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, values, err := Parse(text)
		if err != nil {
			return
		}
		if got := readAsRclone(t, text, name); got != nil && !maps.Equal(got, values) {
			t.Errorf("rclone reads %q, we read %q", got, values)
		}
		written, err := Format(name, values)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		againName, again, err := Parse(written)
		if err != nil || againName != name || !maps.Equal(again, values) {
			t.Errorf("wrote %q, read back %q %q %v", written, againName, again, err)
		}
		if got := readAsRclone(t, written, name); got != nil && !maps.Equal(got, values) {
			t.Errorf("wrote %q, rclone reads %q", written, got)
		}
	})
}

// readAsRclone reads a section with the library that rclone reads its file with.
// It returns nil where that replaces %(key)s, which we do not.
func readAsRclone(t *testing.T, text, name string) map[string]string {
	t.Helper()
	file, err := goconfig.LoadFromReader(strings.NewReader(text))
	if err != nil {
		t.Fatalf("rclone cannot read what we read: %v", err)
	}
	values := make(map[string]string)
	for _, key := range file.GetKeyList(name) {
		value, err := file.GetValue(name, key)
		if err != nil {
			t.Fatal(err)
		}
		values[key] = value
	}
	if strings.Contains(text, "%(") {
		return nil
	}
	return values
}
