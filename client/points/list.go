package points

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/inventory"
	"github.com/rclone-gateway/rclone-gateway/client/locate"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/snapshot"
)

func newList(sys *host.System) *cobra.Command {
	var p place
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [flags] [MODULE ...]",
		Short: "List the snapshots of modules, or of all repositories",
		Long: `List the snapshots of modules; without a MODULE those of all repositories that we may
read. TIME is what restic noted, on the module's clock; RECEIVED is when the gateway
received the snapshot, which the module cannot choose. SIZE and FILES are known of
snapshots by restic 0.17 and newer.

--json prints what NethServer 8's action read-backup-snapshots prints, with more fields
behind.`,
		Example: `  gatewayctl snapshot list myapp1
  gatewayctl snapshot list --json myapp1 | jq -r '.[-1].id'
  gatewayctl snapshot list`,
		Annotations: status(),
		Args:        cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runList(cmd.Context(), sys, &p, args, asJSON)
		},
	}
	p.addFlags(sys, cmd)
	cmd.ValidArgsFunction = names.Complete(sys, names.ModuleEntries, names.AnyNumber)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// listed holds the snapshots of one repository.
type listed struct {
	*opened

	listing snapshot.Listing
	err     error
}

func runList(ctx context.Context, sys *host.System, p *place, words []string, asJSON bool) error {
	all, err := repositories(ctx, sys, p, words)
	if err != nil {
		return err
	}
	readListings(ctx, all)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if asJSON {
		err = printListJSON(sys, all)
	} else {
		err = printList(sys, all)
	}
	for _, l := range all {
		if l.err != nil {
			sys.Warnf("%v", l.err)
		}
		if n := len(l.listing.Unreadable); n > 0 {
			sys.Warnf("repository %s: restic shows %d of its %d snapshots: the others are damaged, or not snapshots of restic's", l.source.Repository, len(l.listing.Snapshots), len(l.found.Snapshots))
		}
	}
	return errors.Join(err, failedListings(all))
}

// failedListings returns the error for unreadable repositories, which were reported.
func failedListings(all []*listed) error {
	failed, code := 0, exit.Failed
	for _, l := range all {
		if l.err == nil {
			continue
		}
		failed++
		if coded, ok := errors.AsType[*exit.Error](l.err); ok {
			code = coded.Code
		}
	}
	if failed == 0 {
		return nil
	}
	return exit.Failf(code, "the list is incomplete: %d of %d repositories could not be read", failed, len(all))
}

// repositories opens the named repositories, or all that we may read.
func repositories(ctx context.Context, sys *host.System, p *place, words []string) ([]*listed, error) {
	if len(words) == 0 {
		return allRepositories(ctx, sys, p)
	}
	var all []*listed
	for _, word := range words {
		o, err := p.open(ctx, sys, word)
		if err != nil {
			return nil, err
		}
		all = append(all, &listed{opened: o})
	}
	return all, nil
}

func allRepositories(ctx context.Context, sys *host.System, p *place) ([]*listed, error) {
	if p.choice.Backup != "" {
		return nil, exit.Failf(exit.Usage, "--backup is for a MODULE; --destination chooses among all repositories")
	}
	rdb, err := p.wait.Redis(ctx, sys)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rdb.Close() }()
	surveys, err := surveyAll(ctx, sys, rdb, p.choice.Destination)
	if err != nil {
		return nil, err
	}
	c, err := readCluster(ctx, rdb)
	if err != nil {
		return nil, err
	}
	cache, command := snapshot.OpenCache(sys.Env), resticOnce(sys)
	var all []*listed
	for _, d := range surveys {
		if d.err != nil {
			return nil, fmt.Errorf("destination %s: %w", host.Printable(d.label()), d.err)
		}
		for _, r := range d.holding.Repositories {
			o, err := openFound(ctx, sys, rdb, d.id, r, c)
			if err != nil {
				return nil, err
			}
			o.cache, o.source.Command = cache, command
			all = append(all, &listed{opened: o})
		}
	}
	return all, nil
}

// openFound opens a repository that a survey found.
func openFound(ctx context.Context, sys *host.System, rdb *redis.Client, destination string, r inventory.Repository, c cluster) (*opened, error) {
	place := locate.Place{Destination: destination, App: r.App, UUID: r.UUID, Module: c.modules[r.UUID]}
	from, err := source(ctx, sys, rdb, place, nil)
	return &opened{place: place, found: r, source: from}, err
}

// readListings asks restic where necessary, several repositories at a time: each restic
// spends about a second of one CPU on deriving the key.
func readListings(ctx context.Context, all []*listed) {
	queue := make(chan *listed)
	var workers sync.WaitGroup
	for range min(len(all), runtime.NumCPU()) {
		workers.Go(func() {
			for l := range queue {
				if l.err = context.Cause(ctx); l.err == nil {
					l.listing, l.err = l.list(ctx)
				}
			}
		})
	}
	for _, l := range all {
		queue <- l
	}
	close(queue)
	workers.Wait()
}

func printList(sys *host.System, all []*listed) error {
	table := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MODULE\tSNAPSHOT\tTIME\tRECEIVED\tSIZE\tFILES\tHOST\tTAGS")
	for _, l := range all {
		received := receipts(l.found)
		for _, s := range l.listing.Snapshots {
			size, files := "-", "-"
			if s.Summary != nil {
				size, files = host.FormatBytes(s.Summary.Bytes), strconv.FormatUint(s.Summary.Files, 10)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.word(), s.Short(), when(s.Time), when(received[s.ID]),
				size, files, cmp.Or(shown(s.Hostname), "-"), cmp.Or(shown(strings.Join(s.Tags, ",")), "-"))
		}
	}
	return table.Flush()
}

// receipts returns the times at which the gateway received the snapshots, by ID.
func receipts(r inventory.Repository) map[string]time.Time {
	times := make(map[string]time.Time, len(r.Snapshots))
	for _, s := range r.Snapshots {
		times[s.Name] = s.Modified
	}
	return times
}

// snapshotJSON is a snapshot in the output of NethServer 8's action read-backup-snapshots,
// with additional fields of ours.
type snapshotJSON struct {
	Timestamp   int64  `json:"timestamp"`
	ID          string `json:"id"`
	TotalBytes  int64  `json:"total_bytes"` // -1 if unknown
	BackupStart string `json:"backup_start"`
	BackupEnd   string `json:"backup_end"`

	Time         string   `json:"time"`
	Received     string   `json:"received"` // "" if the storage does not know
	RepositoryID string   `json:"repository_id"`
	Path         string   `json:"path"`
	ModuleID     string   `json:"module_id"` // "" if the module is not installed
	Hostname     string   `json:"hostname"`
	Tags         []string `json:"tags"`
	Paths        []string `json:"paths"`
	TotalFiles   int64    `json:"total_files"` // -1 if unknown
}

func printListJSON(sys *host.System, all []*listed) error {
	list := []snapshotJSON{}
	for _, l := range all {
		received := receipts(l.found)
		for _, s := range l.listing.Snapshots {
			list = append(list, l.json(s, received[s.ID]))
		}
	}
	return sys.PrintJSON(list)
}

func (o *opened) json(s snapshot.Snapshot, received time.Time) snapshotJSON {
	j := snapshotJSON{
		Timestamp: s.Time.Unix(), ID: s.ID, TotalBytes: -1, TotalFiles: -1,
		Time: s.Time.Format(timeJSON), RepositoryID: o.place.Destination, Path: o.place.Path(), ModuleID: o.place.Module,
		Hostname: s.Hostname, Tags: append([]string{}, s.Tags...), Paths: append([]string{}, s.Paths...),
	}
	if !received.IsZero() {
		j.Received = received.Local().Format(time.RFC3339)
	}
	if s.Summary != nil {
		j.TotalBytes, j.TotalFiles = int64(s.Summary.Bytes), int64(s.Summary.Files) //nolint:gosec // no file system holds more
		j.BackupStart = s.Summary.BackupStart.Format(timeJSON)
		j.BackupEnd = s.Summary.BackupEnd.Format(timeJSON)
	}
	return j
}
