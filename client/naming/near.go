package naming

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// mostNear bounds the suggestions.
const mostNear = 3

// DidYouMean returns ": did you mean …?" with the words most similar to word, "" if none is
// similar.
func DidYouMean(word string, wanted []string) string {
	near := Near(word, wanted)
	if len(near) == 0 {
		return ""
	}
	return ": did you mean " + strings.Join(near, " or ") + "?"
}

// Near returns the words that the writer of word may have meant, the most similar first: up
// to a third of the letters differ, or word is their beginning.
func Near(word string, wanted []string) []string {
	type candidate struct {
		word  string
		steps int
	}
	var found []candidate
	typed := strings.ToLower(word)
	for _, w := range wanted {
		other := strings.ToLower(w)
		steps := distance(typed, other)
		if parts(typed) == parts(other) {
			steps = min(steps, 1) // so that module-restore suggests restore-module
		}
		allowed := max(1, max(utf8.RuneCountInString(typed), utf8.RuneCountInString(other))/3)
		if utf8.RuneCountInString(typed) > 1 && (steps <= allowed || strings.HasPrefix(other, typed)) {
			found = append(found, candidate{w, steps})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.steps, b.steps) })
	var words []string
	for _, c := range found {
		if !slices.Contains(words, c.word) && len(words) < mostNear {
			words = append(words, c.word)
		}
	}
	return words
}

// parts returns the hyphenated parts of a word in alphabetical order.
func parts(word string) string {
	sorted := strings.Split(word, "-")
	slices.Sort(sorted)
	return strings.Join(sorted, "-")
}

// longestTyped bounds the words that are compared letter by letter.
const longestTyped = 64

// distance returns the number of insertions, deletions, replacements and swaps of
// neighbours between two words.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > longestTyped || len(t) > longestTyped {
		return max(len(s), len(t))
	}
	// Three rows of the table are enough.
	rows := [3][]int{make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)}
	before, above, row := rows[0], rows[1], rows[2]
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			replace := above[j-1]
			if s[i-1] != t[j-1] {
				replace++
			}
			row[j] = min(replace, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(t)]
}
