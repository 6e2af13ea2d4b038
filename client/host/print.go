package host

import (
	"encoding/json"
	"fmt"
	"strings"
)

// PrintJSON prints v as indented JSON.
func (s *System) PrintJSON(v any) error {
	encoder := json.NewEncoder(s.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// Printable keeps control characters from the terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// OrDash joins words for a table.
func OrDash(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return Printable(strings.Join(words, " "))
}

// FormatBytes writes a number of bytes for people: "512 B", "1.5 GiB".
func FormatBytes(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}

// MostWarnings is how many warnings of one kind are told.
const MostWarnings = 20

// LimitWarnings keeps a broken file from flooding the log.
func LimitWarnings(warnings []string) []string {
	if len(warnings) <= MostWarnings {
		return warnings
	}
	return append(warnings[:MostWarnings:MostWarnings], fmt.Sprintf("and %d more", len(warnings)-MostWarnings))
}
