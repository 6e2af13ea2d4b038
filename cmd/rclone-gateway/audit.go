package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/internal/flagenv"
)

// noAudit is the value of --audit-log that disables it.
const noAudit = "none"

// auditFile returns the path of the audit log, "" if disabled.
func (s *settings) auditFile() string {
	switch {
	case s.auditLog == noAudit, s.auditLog == "" && s.stateDir == "":
		return ""
	case s.auditLog == "":
		return filepath.Join(s.stateDir, "audit.jsonl")
	}
	return s.auditLog
}

// openAudit opens the audit log; nil if disabled.
func (s *settings) openAudit() (*audit.Log, error) {
	size, errSize := strconv.ParseUint(s.auditSize, 10, 32)
	keep, errKeep := strconv.ParseUint(s.auditFiles, 10, 16)
	switch {
	case errSize != nil || size == 0:
		return nil, fmt.Errorf("--audit-log-size %q: give a whole number of MiB, 1 or more", s.auditSize)
	case errKeep != nil:
		return nil, fmt.Errorf("--audit-log-keep %q: give a whole number of files, 0 or more", s.auditFiles)
	case s.auditFile() == "":
		return nil, nil
	}
	if err := os.MkdirAll(filepath.Dir(s.auditFile()), 0o700); err != nil {
		return nil, fmt.Errorf("--audit-log: %w", err)
	}
	return audit.Open(s.auditFile(), audit.Options{MaxSize: int64(size) << 20, Keep: int(keep), Log: slog.Default()})
}

func closeAudit(l *audit.Log) {
	if err := l.Close(); err != nil {
		slog.Error("closing the audit log", "err", err, "hint", "check the disk of --audit-log")
	}
}

func newAudit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify the audit log, or show its head",
		Long: `The audit log holds who deleted what, what was refused and what administrators'
commands changed. Each line has the hash of the one before: with a head that was kept
elsewhere, anybody can prove that nothing was changed or cut since.
` + exitStatus,
		Example: `  rclone-gateway audit verify
  rclone-gateway audit head`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newAuditVerify(), newAuditHead())
	return cmd
}

// auditFlags are the flags that both commands share.
type auditFlags struct{ file, stateDir string }

func (f *auditFlags) register(cmd *cobra.Command) {
	b := flagenv.Binder{Flags: cmd.Flags()}
	b.String(&f.file, "audit-log", "GATEWAY_AUDIT_LOG", "", "`file` of the audit log (default audit.jsonl in --state-dir)")
	b.String(&f.stateDir, "state-dir", "GATEWAY_STATE_DIR", "", "`directory` of the gateway's state (default $STATE_DIRECTORY, as systemd sets it)")
}

func (f *auditFlags) complete(cmd *cobra.Command) (string, error) {
	if err := flagenv.Fill(cmd.Flags(), os.LookupEnv); err != nil {
		return "", usageError(err)
	}
	s := settings{auditLog: f.file, stateDir: f.stateDir}
	if s.stateDir == "" {
		s.stateDir = os.Getenv("STATE_DIRECTORY")
	}
	if s.auditFile() == "" {
		return "", usageError(errors.New("which audit log? Give --audit-log or --state-dir"))
	}
	return s.auditFile(), nil
}

func newAuditVerify() *cobra.Command {
	var flags auditFlags
	var heads []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that nothing in the audit log was changed, or cut off",
		Long: `Read the audit log, with the full files that are kept, and prove that no line was
changed, removed or inserted. Somebody who can write the file can also write a whole new
chain, or cut its end off: that shows against a head that was kept elsewhere. The gateway
writes its head into Redis every minute (node/NODE/backup_gateway_audit); keep one where nobody
writes who could have a reason.
` + exitStatus,
		Example: `  rclone-gateway audit verify
  rclone-gateway audit verify --head "$(tail -n 1 audit-heads)"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := flags.complete(cmd)
			if err != nil {
				return err
			}
			return verifyAudit(cmd.OutOrStdout(), file, heads)
		},
	}
	flags.register(cmd)
	cmd.Flags().StringArrayVar(&heads, "head", nil, "`NUMBER:HASH` that was kept elsewhere; may be repeated")
	return cmd
}

func verifyAudit(w io.Writer, file string, heads []string) error {
	var wanted []audit.Head
	for _, text := range heads {
		head, err := audit.ParseHead(text)
		if err != nil {
			return usageError(fmt.Errorf("--head %w", err))
		}
		wanted = append(wanted, head)
	}
	found, err := audit.Verify(file, wanted...)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: numbers %d to %d are unchanged\nhead %s\n", file, found.First, found.Last.Seq, found.Last)
	if found.Part {
		fmt.Fprintln(w, "the last line is not finished: the gateway is writing it, or was killed")
	}
	if len(wanted) == 0 {
		fmt.Fprintln(w, "without --head nobody knows whether its end was cut off, or all of it written again")
	}
	return nil
}

func newAuditHead() *cobra.Command {
	var flags auditFlags
	cmd := &cobra.Command{
		Use:     "head",
		Short:   "Print the head of the audit log, to be kept elsewhere",
		Long:    "Verify the audit log by itself, and print its head: the number and the hash of its last line.\n" + exitStatus,
		Example: `  rclone-gateway audit head >> audit-heads`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := flags.complete(cmd)
			if err != nil {
				return err
			}
			found, err := audit.Verify(file)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), found.Last)
			return err
		},
	}
	flags.register(cmd)
	return cmd
}
