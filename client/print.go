package client

import (
	"encoding/json"
	"fmt"
	"strings"
)

// printJSON prints v as indented JSON.
func (s *system) printJSON(v any) error {
	encoder := json.NewEncoder(s.stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// printable keeps control characters from the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// orDash joins words for a table.
func orDash(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return printable(strings.Join(words, " "))
}

// formatBytes writes a number of bytes for people: "512 B", "1.5 GiB".
func formatBytes(n uint64) string {
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

// mostWarnings is how many warnings of one kind are told.
const mostWarnings = 20

// limitWarnings keeps a broken file from flooding the log.
func limitWarnings(warnings []string) []string {
	if len(warnings) <= mostWarnings {
		return warnings
	}
	return append(warnings[:mostWarnings:mostWarnings], fmt.Sprintf("and %d more", len(warnings)-mostWarnings))
}
