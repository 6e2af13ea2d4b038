package destinations

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/ns8action"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

func newDestinationCheck(sys *host.System) *cobra.Command {
	var asJSON, conformance bool
	cmd := &cobra.Command{
		Use:   "check [flags] NAME",
		Short: "Test a destination: list, write, read back and delete a file",
		Long: `Test a destination through the gateway of this node, with the code that serves
backups: list it and a folder that is missing, write a small file, read it back,
compare it and delete it, and write a file of 16 MiB, as backups do, while a second
connection asks for another. Notes say what is particular and harms no backup, such
as a retention. "undo:" says what becomes of what is deleted: what the gateway keeps, and
whether those who hold the storage's keys can delete for good.

--conformance continues with the suite that every kind of storage is held to: some
2,000 requests in a folder of its own, which is removed afterwards. What is "weak"
there does not harm backups; what FAILED does.

Where no gateway runs, "rclone-gateway check-destination" does the same.`,
		Example: `  gatewayctl destination check 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
  gatewayctl destination check --conformance --json 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8`,
		Annotations:       destinationStatus(),
		Args:              oneID,
		ValidArgsFunction: names.Complete(sys, names.DestinationEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ns8action.ForPeople(runCheck(cmd.Context(), sys, args[0], conformance, asJSON))
		},
	}
	cmd.Flags().BoolVar(&conformance, "conformance", false, "run the conformance suite too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func runCheck(ctx context.Context, s *host.System, word string, conformance, asJSON bool) error {
	id, err := destinationToCheck(ctx, s, word)
	if err != nil {
		return err
	}
	report, err := gatewayadmin.Check(ctx, s, adminapi.CheckRequest{ID: id, Conformance: conformance})
	if _, away := errors.AsType[gatewayadmin.Away](err); away {
		return exit.Failf(exit.Unreachable, "%w; \"rclone-gateway check-destination\" tests without it", err)
	}
	if err != nil {
		return err
	}
	if asJSON {
		err = s.PrintJSON(report)
	} else {
		err = printReport(s, report)
	}
	switch {
	case err != nil:
		return err
	case report.Node != "":
		return exit.Failf(exit.Unreachable, "destination %s was not tested: %s", id, report.Reason)
	case report.Error != "":
		return reportFault(report, exit.Failed)
	case !report.Conforms():
		return errors.New("the destination does not do what backups need: do not use it")
	}
	return nil
}

// destinationToCheck returns the ID of the destination that a word names. It does not look
// up a complete ID, so that the check works while Redis is down. It looks up names as the
// node, whose credentials the gateway needs anyway.
func destinationToCheck(ctx context.Context, sys *host.System, word string) (string, error) {
	if account.ValidUUID(word) {
		return word, nil
	}
	login, err := sys.Env.NodeCredentials()
	if err != nil {
		return "", err
	}
	server, err := sys.Env.RedisReplica()
	if err != nil {
		return "", err
	}
	rdb, err := host.ConnectRedis(ctx, server, login)
	if err != nil {
		return "", err
	}
	defer func() { _ = rdb.Close() }()
	return names.DestinationNamed(ctx, rdb, word)
}

func printReport(s *host.System, report *adminapi.CheckReport) error {
	for _, step := range report.Steps {
		state := "ok"
		if !step.OK {
			state = "failed"
		}
		if _, err := fmt.Fprintf(s.Stdout, "%-7s %-6s %7.3f s\n", step.Name, state, step.Seconds); err != nil {
			return err
		}
	}
	for _, note := range report.Notes {
		if _, err := fmt.Fprintf(s.Stdout, "note: %s\n", host.Printable(note)); err != nil {
			return err
		}
	}
	if report.Undo != nil {
		for _, line := range report.Undo.Lines() {
			if _, err := fmt.Fprintf(s.Stdout, "undo: %s\n", line); err != nil {
				return err
			}
		}
	}
	for _, test := range report.Conformance {
		if _, err := fmt.Fprintf(s.Stdout, "%s: %s\n", test.Name, host.Printable(test.State())); err != nil {
			return err
		}
	}
	return nil
}
