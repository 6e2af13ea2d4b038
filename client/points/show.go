package points

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/snapshot"
)

func newShow(sys *host.System) *cobra.Command {
	var p place
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [flags] MODULE SNAPSHOT",
		Short: "Show what is known of one snapshot",
		Example: `  gatewayctl snapshot show myapp1 latest
  gatewayctl snapshot show --json myapp1 latest`,
		Annotations: status(),
		Args:        cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := p.open(cmd.Context(), sys, args[0])
			if err != nil {
				return err
			}
			return runShow(cmd.Context(), sys, o, args[1], asJSON)
		},
	}
	p.addFlags(sys, cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func runShow(ctx context.Context, sys *host.System, o *opened, word string, asJSON bool) error {
	s, err := o.snapshot(ctx, word)
	if err != nil {
		return err
	}
	received := receipts(o.found)[s.ID]
	if asJSON {
		return sys.PrintJSON(shownSnapshot{o.json(s, received), s.Username, s.Parent, s.Tree, s.ProgramVersion, s.Excludes, s.Summary})
	}
	rows := [][2]string{
		{"id", s.ID}, {"module", o.word()}, {"destination", o.place.Destination}, {"repository", o.place.Path()},
		{"time", when(s.Time)}, {"received", when(received)},
		{"host", shown(s.Hostname)}, {"user", shown(s.Username)}, {"tags", shown(strings.Join(s.Tags, ","))},
		{"made by", shown(s.ProgramVersion)}, {"parent", restic.ShortID(s.Parent)},
	}
	if sum := s.Summary; sum != nil {
		rows = append(rows,
			[2]string{"size", host.FormatBytes(sum.Bytes)}, [2]string{"files", strconv.FormatUint(sum.Files, 10)},
			[2]string{"new, changed, unchanged", fmt.Sprintf("%d, %d, %d", sum.FilesNew, sum.FilesChanged, sum.FilesUnmodified)},
			[2]string{"added", host.FormatBytes(cmp.Or(sum.DataAddedPacked, sum.DataAdded))},
			[2]string{"took", sum.BackupEnd.Sub(sum.BackupStart).Round(time.Second).String()},
		)
	}
	for _, path := range s.Paths {
		rows = append(rows, [2]string{"path", shown(path)})
	}
	table := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintf(table, "%s\t%s\n", row[0], cmp.Or(row[1], "-"))
	}
	return table.Flush()
}

// shownSnapshot is the output of show.
type shownSnapshot struct {
	snapshotJSON

	Username       string            `json:"username"`
	Parent         string            `json:"parent"`
	Tree           string            `json:"tree"`
	ProgramVersion string            `json:"program_version"`
	Excludes       []string          `json:"excludes"`
	Summary        *snapshot.Summary `json:"summary"`
}

// snapshot returns the snapshot that a word names.
func (o *opened) snapshot(ctx context.Context, word string) (snapshot.Snapshot, error) {
	id, err := o.snapshotNamed(ctx, word)
	if err != nil {
		return snapshot.Snapshot{}, err
	}
	l, err := o.list(ctx)
	if err != nil {
		return snapshot.Snapshot{}, err
	}
	for _, s := range l.Snapshots {
		if s.ID == id {
			return s, nil
		}
	}
	return snapshot.Snapshot{}, exit.Failf(exit.Failed, "repository %s: restic cannot read snapshot %s: it is damaged, or not one of restic's", o.source.Repository, restic.ShortID(id))
}
