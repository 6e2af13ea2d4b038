// Package flagenv defines options that can be given by environment variables too.
package flagenv

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/internal/docgen"
)

// Binder defines flags, each with its environment variable behind its usage.
type Binder struct{ Flags *pflag.FlagSet }

func (b Binder) bind(flag, variable string) {
	f := b.Flags.Lookup(flag)
	f.Usage += " [$" + variable + "]"
	if err := b.Flags.SetAnnotation(flag, docgen.EnvironmentAnnotation, []string{variable}); err != nil {
		panic(err) // a flag that does not exist: a defect that the first start shows
	}
}

// String defines a flag that takes a text.
func (b Binder) String(p *string, flag, variable, value, usage string) {
	b.Flags.StringVar(p, flag, value, usage)
	b.bind(flag, variable)
}

// List defines a flag that takes several texts, separated by commas.
func (b Binder) List(p *[]string, flag, variable string, value []string, usage string) {
	b.Flags.StringSliceVar(p, flag, value, usage)
	b.bind(flag, variable)
}

// Duration defines a flag that takes a duration.
func (b Binder) Duration(p *time.Duration, flag, variable string, value time.Duration, usage string) {
	b.Flags.DurationVar(p, flag, value, usage)
	b.bind(flag, variable)
}

// Bool defines a switch.
func (b Binder) Bool(p *bool, flag, variable, usage string) {
	b.Flags.BoolVar(p, flag, false, usage)
	b.bind(flag, variable)
}

// Variable returns the environment variable of a flag, "" where it has none.
func Variable(f *pflag.Flag) string {
	for _, name := range f.Annotations[docgen.EnvironmentAnnotation] {
		return name
	}
	return ""
}

// Fill sets each flag that was not given from its variable. An empty variable
// counts as unset.
func Fill(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		variable := Variable(f)
		if f.Changed || variable == "" {
			return
		}
		value, ok := lookup(variable)
		if !ok || value == "" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("$%s: %w", variable, err))
		}
	})
	return errors.Join(errs...)
}
