package wrapper

import (
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// wrapperArgs is the parsed command line of restic-wrapper.
type wrapperArgs struct {
	module, backup, destination, repopath string
	at                                    string
	wait                                  run.Waiting
	podman                                []string
	show, help                            bool
	restic                                []string
}

// splitWrapperArgs takes the wrapper's own options out of args and leaves everything else
// for restic, unchanged and in order. The wrapper has no options after "--". The "--"
// itself is passed on, unless it comes first: restic would take what follows for no
// command, print its help and succeed. A flag parser cannot do this: if told to accept
// unknown flags it drops them, and "forget --dry-run" would become "forget".
func splitWrapperArgs(args []string) (wrapperArgs, error) {
	var w wrapperArgs
	values := map[string]*string{
		"--module": &w.module, "--backup": &w.backup,
		"--destination": &w.destination, "--repopath": &w.repopath, "--at": &w.at,
	}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		name, value, joined := strings.Cut(arg, "=")
		target, ours := values[name]
		switch {
		case arg == "--" && len(w.restic) == 0:
			w.restic = args
			return w, nil
		case arg == "--":
			w.restic = append(append(w.restic, arg), args...)
			return w, nil
		case arg == "--show":
			w.show = true
		case (arg == "--help" || arg == "-h") && len(w.restic) == 0:
			w.help = true
		case ours || name == "--podman" || name == "--wait":
			if !joined {
				if len(args) == 0 {
					return w, exit.Failf(exit.Usage, "%s needs a value", name)
				}
				value, args = args[0], args[1:]
			}
			if value == "" {
				return w, exit.Failf(exit.Usage, "the value of %s is empty", name)
			}
			if err := w.take(name, value, target); err != nil {
				return w, err
			}
		default:
			w.restic = append(w.restic, arg)
		}
	}
	return w, nil
}

// take stores the value of one of the wrapper's options, in target if it takes one.
func (w *wrapperArgs) take(name, value string, target *string) error {
	switch {
	case target != nil:
		*target = value
	case name == "--podman":
		w.podman = append(w.podman, value)
	default:
		limit, err := time.ParseDuration(value)
		if err != nil || limit < 0 {
			return exit.Failf(exit.Usage, "--wait %q is no duration, such as 30m", value)
		}
		w.wait.Limit = limit
	}
	return nil
}
