package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/gateway/examine"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
)

func newCheckConfig() *cobra.Command {
	var s settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check-config",
		Short: "Load everything from Redis once and probe each destination",
		Long: `Load everything from Redis once, open each destination and ask it for an object
that is not there. Nothing is written. Entries of Redis that the server would
leave out are named.
` + exitStatus,
		Example: `  rclone-gateway check-config
  rclone-gateway check-config --json | jq '.destinations[] | select(.error)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.complete(cmd.Flags(), os.LookupEnv); err != nil {
				return usageError(err)
			}
			if err := s.startLog(cmd.ErrOrStderr()); err != nil {
				return usageError(err)
			}
			return checkConfig(cmd.Context(), &s, cmd.OutOrStdout(), asJSON)
		},
	}
	s.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func checkConfig(ctx context.Context, s *settings, w io.Writer, asJSON bool) error {
	opts, err := s.options()
	if err != nil {
		return usageError(err)
	}
	report, err := examine.Check(ctx, opts.Source())
	if err != nil {
		return err
	}
	warnOfRedis(ctx, s.redis.Config)
	if asJSON {
		err = printJSON(w, report)
	} else {
		err = printTable(w, report)
	}
	if err != nil {
		return err
	}
	broken := 0
	for _, d := range report.Destinations {
		if d.Err != nil {
			broken++
		}
	}
	if broken > 0 {
		return codedError{fmt.Errorf("%d of %d destinations do not work", broken, len(report.Destinations)), exitDestination}
	}
	return nil
}

func printTable(w io.Writer, report *examine.Report) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DESTINATION\tNAME\tPROVIDER\tTYPE\tSTATE")
	for _, d := range report.Destinations {
		state := "ok"
		if d.Err != nil {
			state = d.Err.Error()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", d.ID, d.Name, d.Provider, d.Type, state)
	}
	err := table.Flush()
	for _, warning := range report.Warnings {
		slog.Warn("left out an entry of Redis", "key", warning.Key, "reason", warning.Reason, "hint", live.HintLeftOut)
	}
	fmt.Fprintf(w, "%d users, %d destinations, %d entries left out\n", report.Users, len(report.Destinations), len(report.Warnings))
	return err
}

func printJSON(w io.Writer, report *examine.Report) error {
	type destination struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Provider string `json:"provider"`
		Type     string `json:"type"`
		OK       bool   `json:"ok"`
		Error    string `json:"error,omitempty"`
	}
	type warning struct {
		Key    string `json:"key"`
		Reason string `json:"reason"`
	}
	out := struct {
		Users        int           `json:"users"`
		Destinations []destination `json:"destinations"`
		Warnings     []warning     `json:"warnings"`
	}{report.Users, []destination{}, []warning{}}
	for _, d := range report.Destinations {
		row := destination{d.ID, d.Name, d.Provider, d.Type, d.Err == nil, ""}
		if d.Err != nil {
			row.Error = d.Err.Error()
		}
		out.Destinations = append(out.Destinations, row)
	}
	for _, entry := range report.Warnings {
		out.Warnings = append(out.Warnings, warning(entry))
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}
