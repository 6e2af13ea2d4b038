package ns8action

import (
	"errors"
	"fmt"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// Fault says why a request was refused: a named error of NethServer 8, the exit status of
// its action, and a message for people.
type Fault struct {
	Problems []destination.Problem
	Value    any // of the field; never a secret
	Action   exit.Code
	Code     exit.Code // when called by people
	Reason   string
	Told     string // message for people that replaces the default one
}

func (f *Fault) Error() string {
	text := destination.Problems(f.Problems).Error()
	if f.Reason != "" {
		text += ": " + f.Reason
	}
	return text
}

// NewFault returns a Fault of one field.
func NewFault(field, kind string, value any, action, code exit.Code, format string, args ...any) *Fault {
	return &Fault{
		Problems: []destination.Problem{{Field: field, Kind: kind}}, Value: value, Action: action, Code: code,
		Reason: fmt.Sprintf(format, args...), Told: fmt.Sprintf(format, args...) + " [" + kind + "]",
	}
}

// Malformed returns the faults that an action's schema finds.
func Malformed(problems []destination.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &Fault{Problems: problems, Action: exit.Invalid, Code: exit.Invalid}
}

// ForPeople sets the exit status and the message for people.
func ForPeople(err error) error {
	if f, ok := errors.AsType[*Fault](err); ok {
		if f.Told != "" {
			return exit.With(f.Code, errors.New(f.Told))
		}
		return exit.With(f.Code, f)
	}
	return err
}
