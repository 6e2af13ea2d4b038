package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
	"github.com/rclone-gateway/rclone-gateway/gateway/examine"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// candidateID stands for the ID of a destination without one.
const candidateID = "00000000-0000-4000-8000-000000000000"

func newCheckDestination() *cobra.Command {
	var s settings
	var asJSON, conformance, fromStdin bool
	var base string
	cmd := &cobra.Command{
		Use:   "check-destination [ID]",
		Short: "Test one destination: list, write, read back and delete a file",
		Long: `Test one destination through the code that serves backups: list it and a folder
that is missing, write a small file, read it back, compare it and delete it, and write
a file of 16 MiB, as backups do. It is the one that Redis has by
that ID, or with --stdin the one whose rclone section comes on stdin. This is what
the running gateway does for "gatewayctl destination check"; it works where no
gateway runs.

--conformance continues with the suite that every kind of storage is held to, some
2,000 requests in a folder of its own, and lists what does not hold. What is "weak"
there does not harm backups; what FAILED does.
` + exitStatus,
		Example: `  rclone-gateway check-destination 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
  rclone-gateway check-destination --stdin --base bucket/folder < rclone.conf
  rclone-gateway check-destination --conformance --json 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if fromStdin == (len(args) == 1) {
				return usageError(errors.New("name a destination, or give a section with --stdin"))
			}
			if err := s.complete(cmd.Flags(), os.LookupEnv); err != nil {
				return usageError(err)
			}
			if err := s.startLog(cmd.ErrOrStderr()); err != nil {
				return usageError(err)
			}
			req := adminapi.CheckRequest{Conformance: conformance}
			if fromStdin {
				candidate, err := readCandidate(cmd.InOrStdin(), base)
				if err != nil {
					return usageError(err)
				}
				req.ID, req.Candidate = candidateID, candidate
			} else {
				req.ID = args[0]
			}
			return checkDestination(cmd.Context(), &s, req, cmd.OutOrStdout(), asJSON)
		},
	}
	s.register(cmd.Flags())
	cmd.Flags().BoolVar(&fromStdin, "stdin", false, "read the rclone section of the destination from stdin")
	cmd.Flags().StringVar(&base, "base", "", "`path` on the remote below which backups go, for --stdin")
	cmd.Flags().BoolVar(&conformance, "conformance", false, "run the conformance suite too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// readCandidate reads one section, with any name.
func readCandidate(stdin io.Reader, base string) (*adminapi.Candidate, error) {
	text, err := io.ReadAll(io.LimitReader(stdin, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read the section: %w", err)
	}
	_, values, err := rcloneconf.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("the section on stdin: %w", err)
	}
	section, err := rcloneconf.Format(candidateID, values)
	if err != nil {
		return nil, fmt.Errorf("the section on stdin: %w", err)
	}
	return &adminapi.Candidate{Provider: "rclone", BasePath: base, Section: section}, nil
}

func checkDestination(ctx context.Context, s *settings, req adminapi.CheckRequest, w io.Writer, asJSON bool) error {
	opts, err := s.options()
	if err != nil {
		return usageError(err)
	}
	report, err := examine.Destination(ctx, opts.Source(), req)
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		printReport(w, report)
	}
	switch {
	case err != nil:
		return err
	case report.Error != "":
		return codedError{fmt.Errorf("%s: %s", report.Error, report.Reason), exitDestination}
	case report.Node != "":
		return codedError{errors.New("not tested: " + report.Reason), exitDestination}
	case !report.Conforms():
		return codedError{errors.New("the destination does not behave as backups need"), exitDestination}
	}
	return nil
}

func printReport(w io.Writer, report *adminapi.CheckReport) {
	for _, step := range report.Steps {
		fmt.Fprintf(w, "%-7s %-6s %6.3f s\n", step.Name, map[bool]string{true: "ok", false: "failed"}[step.OK], step.Seconds)
	}
	for _, note := range report.Notes {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	if report.Undo != nil {
		for _, line := range report.Undo.Lines() {
			fmt.Fprintf(w, "undo: %s\n", line)
		}
	}
	if report.Detail != "" {
		fmt.Fprintf(w, "the storage said: %s\n", report.Detail)
	}
	for _, test := range report.Conformance {
		fmt.Fprintf(w, "%s: %s\n", test.Name, test.State())
	}
}
