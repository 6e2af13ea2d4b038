package schedule

import (
	"errors"
	"strconv"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/retention"
)

// unless returns the text of a value, "" for the default.
func unless[T comparable](value, normal T) T {
	if value == normal {
		var none T
		return none
	}
	return value
}

func numberField(place func(*Plan) *int, normal int) planField {
	return planField{
		func(p *Plan, text string) error {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return errors.New("it is a number of 0 or more")
			}
			*place(p) = n
			return nil
		},
		func(p *Plan) string {
			if n := *place(p); n != normal {
				return strconv.Itoa(n)
			}
			return ""
		},
	}
}

func keepField(place func(*Plan) *int) planField {
	field := numberField(place, 0)
	field.read = func(p *Plan, text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < retention.All {
			return errors.New("it is a number, or -1, which keeps all")
		}
		*place(p) = n
		return nil
	}
	return field
}

func boolField(place func(*Plan) *bool) planField {
	return planField{
		func(p *Plan, text string) error {
			*place(p) = text == "1"
			if text != "1" && text != "" {
				return errors.New("it is 1, or nothing")
			}
			return nil
		},
		func(p *Plan) string {
			if *place(p) {
				return "1"
			}
			return ""
		},
	}
}

func durationField(place func(*Plan) *time.Duration, normal time.Duration) planField {
	return planField{
		func(p *Plan, text string) error {
			d, err := time.ParseDuration(text)
			if err != nil || d < 0 {
				return errors.New("it is a time such as 90m or 6h")
			}
			*place(p) = d
			return nil
		},
		func(p *Plan) string {
			if d := *place(p); d != normal {
				return d.String()
			}
			return ""
		},
	}
}

func timeField(place func(*Plan) *time.Time) planField {
	return planField{
		func(p *Plan, text string) error {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return errors.New("it is a time such as 2026-11-29T20:00:00Z")
			}
			*place(p) = at
			return nil
		},
		func(p *Plan) string {
			if at := *place(p); !at.IsZero() {
				return at.UTC().Format(time.RFC3339)
			}
			return ""
		},
	}
}

// calendarField keeps the text as it is; Check validates it.
func calendarField(place func(*Plan) *string, normal string) planField {
	return planField{
		func(p *Plan, text string) error { *place(p) = text; return nil },
		func(p *Plan) string { return unless(*place(p), normal) },
	}
}
