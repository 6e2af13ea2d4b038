package trash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/retention"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// historyFlags are the flags of history.
type historyFlags struct {
	which

	asJSON, noRestic bool
}

// told is the output: a history, and what looks wrong in it.
type told struct {
	adminapi.HistoryReply

	Flags []flag `json:"flags"`
	// Unread says why restic could not read the snapshots.
	Unread string `json:"unread,omitempty"`
}

// flag is an object that somebody should review.
type flag struct {
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Received time.Time `json:"received,omitzero"`
	Why      string    `json:"why"`
}

func newHistory(sys *host.System) *cobra.Command {
	var f historyFlags
	cmd := &cobra.Command{
		Use:   "history [flags] --destination NAME --repository APP/UUID",
		Short: "Tell by day what came to a repository and went, and what looks wrong",
		Long: `Tell by day what came to a repository and went: snapshots, packs, bytes, deletions, and of
what this gateway's audit log has, by whom. Days are those of UTC, and times are when the
gateway received something.

What looks wrong is told below: objects that are not what restic saves, and, where restic
is here and Redis has the password, snapshots whose own time differs from their receipt by
more than a day, that are from another host than most, far smaller than those before, or
one of a burst, or that restic cannot read. Random bytes that are as long as an index
are not seen here; "restic check" finds them.`,
		Example: `  gatewayctl repository history --destination DESTINATION --repository dokuwiki/UUID
  gatewayctl repository history --destination DESTINATION --repository dokuwiki/UUID --json`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), sys) },
	}
	flags := f.register(sys, cmd)
	flags.BoolVar(&f.noRestic, "no-restic", false, "do not have restic look into the snapshots")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func (f *historyFlags) run(ctx context.Context, sys *host.System) error {
	req, err := f.request(ctx, sys)
	if err != nil {
		return err
	}
	reply, err := gatewayadmin.History(ctx, sys, req)
	if err != nil {
		return err
	}
	if len(reply.Days) == 0 {
		return exit.Failf(exit.NotFound, "there is no repository %s at the destination, and there was none lately", req.Repository)
	}
	t := told{HistoryReply: reply, Flags: []flag{}}
	for _, m := range reply.Malformed {
		t.Flags = append(t.Flags, flag{m.Kind, m.Name, m.Received, m.Why})
	}
	if !f.noRestic {
		if err := t.lookInto(ctx, sys, req); err != nil {
			if ctx.Err() != nil {
				return err
			}
			t.Unread = err.Error()
		}
	}
	if f.asJSON {
		return sys.PrintJSON(t)
	}
	return t.print(sys)
}

// aSnapshot is a snapshot as restic prints it.
type aSnapshot struct {
	ID          string
	Time        time.Time
	Hostname    string
	Paths, Tags []string
	Summary     *struct {
		Bytes int64 `json:"total_bytes_processed"`
	}
}

// lookInto lets restic read the snapshots, and flags suspicious ones.
func (t *told) lookInto(ctx context.Context, sys *host.System, req adminapi.RepositoryRequest) error {
	command, err := resticOn(ctx, sys, req)
	if err != nil {
		return err
	}
	read, unreadable, err := readSnapshots(ctx, command, t.Snapshots)
	if err != nil {
		return err
	}
	receipts := map[string]adminapi.HistorySnapshot{}
	for _, s := range t.Snapshots {
		if s.Deleted.IsZero() {
			receipts[s.ID] = s
		}
	}
	for _, id := range unreadable {
		t.Flags = append(t.Flags, flag{"snapshots", id, receipts[id].Received, "restic cannot read it"})
	}
	var snapshots []*retention.Snapshot
	for _, s := range read {
		snapshot := &retention.Snapshot{
			ID: s.ID, Time: s.Time, Hostname: s.Hostname, Paths: s.Paths, Tags: s.Tags, Size: -1,
			Received: receipts[s.ID].Received, ByNode: receipts[s.ID].ByNode,
		}
		if s.Summary != nil {
			snapshot.Size = s.Summary.Bytes
		}
		snapshots = append(snapshots, snapshot)
	}
	for _, s := range retention.Suspects(snapshots, retention.GroupBy{Host: true, Paths: true}, time.Now()) {
		t.Flags = append(t.Flags, flag{"snapshots", s.ID, s.Received, s.Why})
	}
	return nil
}

// mostAlone bounds the snapshots that are read one by one.
const mostAlone = 50

// readSnapshots lets restic read all snapshots at once or, if a damaged one stops it, the
// latest ones one by one.
func readSnapshots(ctx context.Context, command restic.Invocation, all []adminapi.HistorySnapshot) (read []aSnapshot, unreadable []string, err error) {
	var out bytes.Buffer
	err = command.With("snapshots", "--json", "--no-lock").Run(ctx, restic.Streams{Stdout: &out})
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &read)
		return read, missingOf(all, read), err
	}
	if ctx.Err() != nil {
		return nil, nil, err
	}
	works := false
	for _, s := range slices.Backward(all) {
		if !s.Deleted.IsZero() || len(read)+len(unreadable) == mostAlone {
			continue
		}
		out.Reset()
		var one aSnapshot
		if command.With("cat", "--no-lock", "snapshot", s.ID).Run(ctx, restic.Streams{Stdout: &out}) != nil || json.Unmarshal(out.Bytes(), &one) != nil {
			unreadable = append(unreadable, s.ID)
			continue
		}
		works = true
		one.ID = s.ID
		read = append(read, one)
	}
	if !works {
		return nil, nil, err // the failure is not a snapshot's
	}
	return read, unreadable, nil
}

// missingOf returns the existing snapshots that restic did not print: newer versions skip
// what they cannot read.
func missingOf(all []adminapi.HistorySnapshot, read []aSnapshot) (missing []string) {
	for _, s := range all {
		if s.Deleted.IsZero() && !slices.ContainsFunc(read, func(r aSnapshot) bool { return r.ID == s.ID }) {
			missing = append(missing, s.ID)
		}
	}
	return missing
}

func (t *told) print(sys *host.System) error {
	table := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DAY\tSNAPSHOTS\tPACKS\tRECEIVED\tDELETED\tBY WHOM")
	for _, day := range t.Days {
		var bytes int64
		for _, count := range day.Received {
			bytes += count.Bytes
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%s\n", day.Day, day.Received["snapshots"].Objects, day.Received["data"].Objects,
			host.FormatBytes(uint64(max(0, bytes))), deletions(day.Deleted), t.deeds(day.Day))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if !t.Horizon.IsZero() {
		fmt.Fprintf(sys.Stdout, "as it was, the repository can be had from %s on\n", t.Horizon.UTC().Format(time.RFC3339))
	}
	if !t.Frozen.IsZero() {
		fmt.Fprintf(sys.Stdout, "frozen since %s, by %s\n", t.Frozen.UTC().Format(time.RFC3339), host.Printable(t.FrozenBy))
	}
	for _, f := range t.Flags {
		fmt.Fprintf(sys.Stdout, "look at %s %.8s, received %s: %s\n", f.Kind, f.Name, f.Received.UTC().Format(time.RFC3339), host.Printable(f.Why))
	}
	if t.AuditHead != "" {
		fmt.Fprintf(sys.Stdout, "head of this gateway's audit log: %s\n", host.Printable(t.AuditHead))
	}
	if t.Unread != "" {
		sys.Warnf("the snapshots were not looked into: %s", host.Printable(t.Unread))
	}
	return nil
}

// deletions describes how many objects of each kind were deleted.
func deletions(deleted map[string]adminapi.Count) string {
	numbers := map[string]int{}
	for kind, count := range deleted {
		numbers[kind] = int(count.Objects)
	}
	return counts(numbers)
}

// deeds describes who did what on a day, without locks.
func (t *told) deeds(day string) string {
	byWhat := map[string]int{}
	for _, deed := range t.Deeds {
		if deed.Day == day && deed.Kind != "locks" {
			byWhat[deed.What+" by "+host.Printable(deed.Who)] += deed.Count
		}
	}
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(byWhat)) {
		parts = append(parts, fmt.Sprintf("%s: %d", what, byWhat[what]))
	}
	return strings.Join(parts, ", ")
}
