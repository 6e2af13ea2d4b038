package calendar

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Expand converts a shortcut to the event that it stands for, in systemd's syntax; anything
// else is returned unchanged. A shortcut is "every", a number and a unit: m (minutes), h
// (hours) or d (days), such as "every 15m", "every 6h" or "every 1d". A number of one can
// be omitted: "every h". A time zone can follow.
//
// The number must divide the hour or the day, so that all gaps are equal; for days only one
// is allowed.
func Expand(text string) (string, error) {
	words := strings.Fields(text)
	if len(words) == 0 || !strings.EqualFold(words[0], "every") {
		return text, nil
	}
	if len(words) < 2 || len(words) > 3 {
		return "", errShortcut
	}
	event, err := everyEvent(words[1])
	if err != nil {
		return "", err
	}
	if len(words) == 3 {
		event += " " + words[2]
	}
	return event, nil
}

// errShortcut says what a shortcut looks like.
var errShortcut = errors.New(`"every" is followed by a number of minutes, hours or days, such as "every 15m", "every 6h" or "every 1d"`)

// everyEvent returns the event for a period such as 6h.
func everyEvent(period string) (string, error) {
	digits := strings.TrimRight(period, "abcdefghijklmnopqrstuvwxyz")
	unit, number := period[len(digits):], 1
	if digits != "" {
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 {
			return "", errShortcut
		}
		number = n
	}
	switch unit {
	case "m", "min", "minute", "minutes":
		return everyMinutes(number)
	case "h", "hour", "hours":
		return everyHours(number)
	case "d", "day", "days":
		if number != 1 {
			return "", errors.New("only \"every 1d\" keeps equal gaps: name the days, such as \"Mon,Thu 02:30\"")
		}
		return "*-*-* 00:00:00", nil
	}
	return "", errShortcut
}

func everyMinutes(number int) (string, error) {
	switch {
	case number%60 == 0:
		return everyHours(number / 60)
	case number == 1:
		return "*-*-* *:*:00", nil
	case number < 60 && 60%number == 0:
		return fmt.Sprintf("*-*-* *:00/%d:00", number), nil
	}
	return "", fmt.Errorf("every %d minutes do not divide an hour: take 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30", number)
}

func everyHours(number int) (string, error) {
	switch {
	case number == 1:
		return "*-*-* *:00:00", nil
	case number == 24:
		return "*-*-* 00:00:00", nil
	case number < 24 && 24%number == 0:
		return fmt.Sprintf("*-*-* 00/%d:00:00", number), nil
	}
	return "", fmt.Errorf("every %d hours do not divide a day: take 1, 2, 3, 4, 6, 8, 12 or 24", number)
}
