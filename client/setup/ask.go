package setup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// otherStorage is the answer for a storage other than a directory.
const otherStorage = "other"

// complete asks at the terminal for what the options leave out. Without a terminal it
// returns an error that lists the missing options.
func (o *options) complete(ctx context.Context, sys *host.System) error {
	prompt := sys.Prompter()
	if prompt == nil {
		return o.checkComplete()
	}
	if len(o.modules) == 0 {
		if err := o.askModules(ctx, prompt); err != nil {
			return err
		}
	}
	if o.to == "" && o.storage.provider == "" {
		answer, err := prompt.AskUntil(ctx, "Where backups go: a directory, on another disk at best, or \"other\" for S3, SFTP and so on", func(answer string) string {
			if answer == otherStorage || filepath.IsAbs(answer) {
				return ""
			}
			return "give a path that begins with /, or \"other\""
		})
		if err != nil {
			return err
		}
		if answer != otherStorage {
			o.to = answer
		}
	}
	return o.checkStorage()
}

func (o *options) checkComplete() error {
	var missing []string
	if len(o.modules) == 0 {
		missing = append(missing, "--module NAME=DIR")
	}
	if o.to == "" && o.storage.provider == "" {
		missing = append(missing, "--to DIR, or --provider")
	}
	if missing != nil {
		return exit.Failf(exit.Usage, "nobody can be asked, since stdin is no terminal: give %s", strings.Join(missing, " and "))
	}
	return o.checkStorage()
}

func (o *options) checkStorage() error {
	switch {
	case o.to != "" && o.storage.provider != "":
		return exit.Failf(exit.Usage, "--to is a directory and --provider another storage: give one of them")
	case o.to != "" && !filepath.IsAbs(o.to):
		return exit.Failf(exit.Usage, "--to %q must begin with /", host.Printable(o.to))
	}
	return nil
}

// askModules asks for directories until an empty answer.
func (o *options) askModules(ctx context.Context, prompt *host.Prompter) error {
	for {
		question := "A directory to back up"
		if len(o.modules) > 0 {
			question = "Another directory to back up, or nothing"
		}
		dir, err := prompt.AskUntil(ctx, question, func(answer string) string {
			if answer == "" && len(o.modules) > 0 {
				return ""
			}
			if !filepath.IsAbs(answer) {
				return "give a path that begins with /"
			}
			return directoryComplaint(answer)
		})
		if err != nil || dir == "" {
			return err
		}
		name, err := prompt.AskUntil(ctx, fmt.Sprintf("A name for %s, such as wiki1", dir), func(answer string) string {
			for _, other := range o.modules {
				if strings.HasPrefix(other, answer+"=") {
					return "that name is taken"
				}
			}
			return module{answer, dir}.complaint()
		})
		if err != nil {
			return err
		}
		o.modules = append(o.modules, name+"="+dir)
	}
}

// directoryComplaint says why a directory cannot be backed up, "" if it can.
func directoryComplaint(dir string) string {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err.Error()
	case !info.IsDir():
		return dir + " is not a directory"
	}
	return ""
}
