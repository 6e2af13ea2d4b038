package ns8action

import (
	"errors"
	"fmt"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// Fault is why a request was refused: one of NethServer 8's named errors, with
// the exit status of its action, and what people are told.
type Fault struct {
	Problems []destination.Problem
	Value    any // of the field; never a secret
	Action   exit.Code
	Code     exit.Code // for people
	Reason   string
	Told     string // to people, unless empty, in place of all that
}

func (f *Fault) Error() string {
	text := destination.Problems(f.Problems).Error()
	if f.Reason != "" {
		text += ": " + f.Reason
	}
	return text
}

// NewFault is a Fault of one field.
func NewFault(field, kind string, value any, action, code exit.Code, format string, args ...any) *Fault {
	return &Fault{
		Problems: []destination.Problem{{Field: field, Kind: kind}}, Value: value, Action: action, Code: code,
		Reason: fmt.Sprintf(format, args...), Told: fmt.Sprintf(format, args...) + " [" + kind + "]",
	}
}

// Malformed are the faults that the schema of an action finds.
func Malformed(problems []destination.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &Fault{Problems: problems, Action: exit.Invalid, Code: exit.Invalid}
}

// ForPeople gives a fault the exit status and the words that people's form of a
// command has.
func ForPeople(err error) error {
	if f, ok := errors.AsType[*Fault](err); ok {
		if f.Told != "" {
			return exit.With(f.Code, errors.New(f.Told))
		}
		return exit.With(f.Code, f)
	}
	return err
}
