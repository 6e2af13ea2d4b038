package points

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

func newDiff(sys *host.System) *cobra.Command {
	var p place
	var asJSON, metadata bool
	cmd := &cobra.Command{
		Use:   "diff [flags] MODULE SNAPSHOT [SNAPSHOT]",
		Short: "Show what changed between two snapshots",
		Long: `Show what changed between two snapshots, or from one to the latest: + was added, - was
removed, M has other content, T is of another type, and, with --metadata, U has other
metadata alone. Restic compares the contents.`,
		Example: `  gatewayctl snapshot diff myapp1 latest latest
  gatewayctl snapshot diff --json myapp1 latest`,
		Annotations: status(),
		Args:        cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := p.open(cmd.Context(), sys, args[0])
			if err != nil {
				return err
			}
			to := latest
			if len(args) > 2 {
				to = args[2]
			}
			return runDiff(cmd.Context(), sys, o, [2]string{args[1], to}, metadata, asJSON)
		},
	}
	p.addFlags(sys, cmd)
	cmd.Flags().BoolVar(&metadata, "metadata", false, "show changes of metadata, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a line of JSON for each")
	return cmd
}

// change is a line of restic's diff.
type change struct {
	Kind     string `json:"message_type"`
	Path     string `json:"path"`
	Modifier string `json:"modifier"`
}

// totals is the last line of restic's diff.
type totals struct {
	Changed int `json:"changed_files"`
	Added   struct {
		Files int    `json:"files"`
		Bytes uint64 `json:"bytes"`
	} `json:"added"`
	Removed struct {
		Files int    `json:"files"`
		Bytes uint64 `json:"bytes"`
	} `json:"removed"`
}

// changeJSON is a change in the JSON output.
type changeJSON struct {
	Change string `json:"change"`
	Path   string `json:"path"`
}

func runDiff(ctx context.Context, sys *host.System, o *opened, words [2]string, metadata, asJSON bool) error {
	args := []string{"diff", "--json", "--no-lock"}
	if metadata {
		args = append(args, "--metadata")
	}
	for _, word := range words {
		id, err := o.snapshotNamed(ctx, word)
		if err != nil {
			return err
		}
		args = append(args, id)
	}
	out := newLines(sys.Stdout)
	var failed error
	var sum totals
	listen := restic.NewLines(func(line []byte) {
		var c change
		if json.Unmarshal(line, &c) != nil || failed != nil {
			return
		}
		switch {
		case c.Kind == "statistics":
			_ = json.Unmarshal(line, &sum) // only for people
		case c.Kind != "change":
		case asJSON:
			failed = out.encode(changeJSON{c.Modifier, relative(c.Path)})
		default:
			_, failed = fmt.Fprintf(out.out, "%s  %s\n", c.Modifier, shown(relative(c.Path)))
		}
	})
	if err := o.source.Run(ctx, listen, args...); err != nil {
		return err
	}
	listen.Flush()
	if !asJSON && failed == nil {
		_, failed = fmt.Fprintf(out.out, "%d files changed, %d added (%s), %d removed (%s)\n", sum.Changed,
			sum.Added.Files, host.FormatBytes(sum.Added.Bytes), sum.Removed.Files, host.FormatBytes(sum.Removed.Bytes))
	}
	if failed != nil {
		return exit.With(exit.Failed, failed)
	}
	return out.flush()
}
