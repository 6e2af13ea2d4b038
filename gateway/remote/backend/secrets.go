package backend

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/obscure"
)

// shortestSecret is the shortest value that is looked for in error texts; of a
// shorter one every word would be full.
const shortestSecret = 4

// scrubber takes the secrets of a section out of error texts.
type scrubber struct{ *strings.Replacer }

func newScrubber(section map[string]string, options fs.Options) scrubber {
	setup()
	secrets := map[string]bool{}
	add := func(secret string) {
		if len(secret) >= shortestSecret {
			secrets[secret] = true
			secrets[url.QueryEscape(secret)] = true
			secrets[url.PathEscape(secret)] = true
		}
	}
	for key, value := range section {
		if !secret(key, options.Get(key)) {
			continue
		}
		add(value)
		if plain, err := obscure.Reveal(value); err == nil {
			add(plain)
		}
		var token map[string]any // OAuth tokens are JSON
		if json.Unmarshal([]byte(value), &token) == nil {
			for _, v := range token {
				if s, ok := v.(string); ok {
					add(s)
				}
			}
		}
	}
	// A secret may be part of another: the longest goes first.
	sorted := slices.SortedFunc(maps.Keys(secrets), func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	var pairs []string
	for _, s := range sorted {
		pairs = append(pairs, s, "XXX")
	}
	return scrubber{strings.NewReplacer(pairs...)}
}

// secret reports whether the value of a key must not appear anywhere. What rclone
// does not know is taken for one; where a server is and who logs in there,
// though rclone finds it sensitive, an administrator must be able to read.
func secret(key string, option *fs.Option) bool {
	switch key {
	case "type", "host", "user", "domain":
		return false
	}
	return option == nil || option.IsPassword || option.Sensitive
}

// looksClear reports whether a password of the section is probably not obscured, though
// it can be revealed: any text of letters and digits that is long enough can, and what
// comes out of it then is no text.
func looksClear(section map[string]string, options fs.Options) bool {
	setup()
	for key, value := range section {
		option := options.Get(key)
		if option == nil || !option.IsPassword || value == "" {
			continue
		}
		plain, err := obscure.Reveal(value)
		odd := func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) }
		if err == nil && (plain == "" || strings.ContainsFunc(plain, odd)) {
			return true
		}
	}
	return false
}
