// Package naming resolves words to entries: by ID, by the beginning of a long ID, or by
// name. It also suggests similar words. It does no I/O.
package naming

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Entry is something with a name.
type Entry struct {
	ID string
	// UUID and Name are its other names; both may be empty.
	UUID, Name string
}

// String describes an entry unambiguously.
func (e Entry) String() string {
	if name := Printable(e.Name); name != "" {
		return fmt.Sprintf("%s (%s)", e.ID, name)
	}
	return e.ID
}

// shortest is the minimum length of the beginning of a long ID.
const shortest = 4

// long reports whether an ID is so long that its beginning may stand for it. Numbers and
// module IDs must be complete.
func long(id string) bool { return len(id) >= 32 }

// Resolve returns the one entry that word means. IDs come before names, names before names
// that differ in case, and those before the beginnings of long IDs. kind names the entries
// in the error, which is an [AmbiguousError] or an [UnknownError].
func Resolve(kind, word string, entries []Entry) (Entry, error) {
	for _, means := range []func(Entry) bool{
		func(e Entry) bool { return e.ID == word || e.UUID == word },
		func(e Entry) bool { return e.Name == word },
		func(e Entry) bool { return strings.EqualFold(e.Name, word) },
		func(e Entry) bool { return begins(e.ID, word) || begins(e.UUID, word) },
	} {
		found := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return !means(e) })
		switch {
		case word == "" || len(found) == 0:
		case len(found) == 1:
			return found[0], nil
		default:
			slices.SortFunc(found, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
			return Entry{}, &AmbiguousError{Kind: kind, Word: word, Found: found}
		}
	}
	return Entry{}, &UnknownError{Kind: kind, Word: word, Near: nearest(word, entries)}
}

func begins(id, word string) bool {
	return long(id) && len(word) >= shortest && strings.HasPrefix(id, strings.ToLower(word))
}

// nearest returns the entries with an ID or a name similar to the word.
func nearest(word string, entries []Entry) []Entry {
	var words []string
	of := map[string]Entry{}
	for _, e := range entries {
		for _, w := range []string{e.Name, e.ID} {
			if w != "" && !long(w) {
				words = append(words, w)
				of[w] = e
			}
		}
	}
	var found []Entry
	for _, w := range Near(word, words) {
		if !slices.Contains(found, of[w]) {
			found = append(found, of[w])
		}
	}
	return found
}

// AmbiguousError says that a word matches several entries.
type AmbiguousError struct {
	Kind, Word string
	Found      []Entry
}

// mostShown bounds the entries that an error lists.
const mostShown = 10

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%s means more than one %s: give the ID of one of %s", quoted(e.Word), e.Kind, listed(e.Found, ", "))
}

// UnknownError says that a word matches no entry.
type UnknownError struct {
	Kind, Word string
	Near       []Entry
}

func (e *UnknownError) Error() string {
	text := fmt.Sprintf("%s %s does not exist", e.Kind, quoted(e.Word))
	if len(e.Near) > 0 {
		text += ": did you mean " + listed(e.Near, " or ") + "?"
	}
	return text
}

// quoted quotes a word that is empty or has spaces.
func quoted(word string) string {
	word = Printable(word)
	if word == "" || strings.ContainsAny(word, ` "`) {
		return strconv.Quote(word)
	}
	return word
}

func listed(entries []Entry, separator string) string {
	var texts []string
	for _, e := range entries[:min(mostShown, len(entries))] {
		texts = append(texts, e.String())
	}
	if rest := len(entries) - len(texts); rest > 0 {
		texts = append(texts, fmt.Sprintf("%d more", rest))
	}
	return strings.Join(texts, separator)
}

// Printable replaces control characters, for terminals.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
