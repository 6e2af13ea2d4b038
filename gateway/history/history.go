// Package history computes the history of a repository: what was added and deleted, and
// what does not look like restic's data.
package history

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/form"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// dayLayout is the format of a day.
const dayLayout = "2006-01-02"

// teller collects the history of one repository.
type teller struct {
	kept  *trash.Store
	repo  string
	nodes map[string]bool // snapshots saved by nodes
	days  map[string]*adminapi.HistoryDay
	reply adminapi.HistoryReply
}

// Of returns the history of a repository. It lists the repository and the trash, and reads
// the keys.
func Of(ctx context.Context, kept *trash.Store, repo string) (adminapi.HistoryReply, error) {
	t := &teller{kept: kept, repo: repo, nodes: map[string]bool{}, days: map[string]*adminapi.HistoryDay{}}
	t.reply.Snapshots, t.reply.Malformed, t.reply.Deeds = []adminapi.HistorySnapshot{}, []adminapi.Malformed{}, []adminapi.Deed{}
	if err := kept.Look(ctx, repo); err != nil {
		return t.reply, err
	}
	if err := t.readNodes(ctx); err != nil {
		return t.reply, err
	}
	for o, err := range kept.Objects(ctx, repo) {
		if err != nil {
			return t.reply, err
		}
		if err := t.object(ctx, &o, time.Time{}, nil); err != nil {
			return t.reply, err
		}
	}
	entries, err := kept.Entries(ctx, repo)
	if err != nil {
		return t.reply, err
	}
	for i := range entries {
		e := &entries[i]
		o := trash.Object{Repo: repo, Kind: e.Kind, Name: e.Name, Size: e.Size, Received: e.Received}
		if err := t.object(ctx, &o, e.Deleted, e); err != nil {
			return t.reply, err
		}
	}
	if t.reply.Horizon, err = kept.Horizon(ctx, repo); err != nil {
		return t.reply, err
	}
	for _, day := range slices.Sorted(maps.Keys(t.days)) {
		t.reply.Days = append(t.reply.Days, *t.days[day])
	}
	slices.SortStableFunc(t.reply.Snapshots, func(a, b adminapi.HistorySnapshot) int { return a.Received.Compare(b.Received) })
	return t.reply, nil
}

// readNodes finds the snapshots that nodes saved, by their receipts.
func (t *teller) readNodes(ctx context.Context) error {
	err := t.kept.List(ctx, t.repo+"/receipts", func(info fs.FileInfo) error {
		if name, ok := strings.CutSuffix(info.Name(), ".node"); ok {
			t.nodes[name] = true
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// object adds an object that exists or, with e, is in the trash.
func (t *teller) object(ctx context.Context, o *trash.Object, deleted time.Time, e *ledger.Entry) error {
	if !o.Received.IsZero() {
		add(t.day(o.Received).Received, o)
	}
	if !deleted.IsZero() {
		add(t.day(deleted).Deleted, o)
	}
	if o.Kind == ledger.Snapshots {
		t.reply.Snapshots = append(t.reply.Snapshots, adminapi.HistorySnapshot{
			ID: o.Name, Size: o.Size, Received: o.Received, Deleted: deleted, ByNode: t.nodes[o.Name],
		})
	}
	why, err := t.malformed(ctx, o, e)
	if why != "" {
		t.reply.Malformed = append(t.reply.Malformed, adminapi.Malformed{
			Kind: o.Kind, Name: o.Name, Size: o.Size, Received: o.Received, Deleted: deleted, Why: why,
		})
	}
	return err
}

func (t *teller) day(at time.Time) *adminapi.HistoryDay {
	name := at.UTC().Format(dayLayout)
	day := t.days[name]
	if day == nil {
		day = &adminapi.HistoryDay{Day: name, Received: map[string]adminapi.Count{}, Deleted: map[string]adminapi.Count{}}
		t.days[name] = day
	}
	return day
}

func add(to map[string]adminapi.Count, o *trash.Object) {
	count := to[o.Kind]
	count.Objects++
	count.Bytes += max(0, o.Size)
	to[o.Kind] = count
}

// malformed says why an object is not restic's. Only the owner of the repository's key can
// tell whether data of a legal size is properly encrypted.
func (t *teller) malformed(ctx context.Context, o *trash.Object, e *ledger.Entry) (string, error) {
	if o.Kind == ledger.Data {
		return "", nil
	}
	if err := form.Size(o.Kind, o.Size); err != nil {
		return err.Error(), nil
	}
	if o.Kind != ledger.Keys || e != nil {
		return "", nil
	}
	body, _, err := t.kept.Open(ctx, o.Path(), 0, -1)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // deleted meanwhile
	}
	if err != nil {
		return "", err
	}
	defer body.Close()
	content, err := io.ReadAll(io.LimitReader(body, form.MaxKey))
	if err != nil {
		return "", err
	}
	if err := form.Key(content); err != nil {
		return err.Error(), nil
	}
	return "", nil
}

// Deeds returns what was done to a repository, according to an audit log.
func Deeds(log *audit.Log, destination, repo string) ([]adminapi.Deed, error) {
	counts := map[adminapi.Deed]int{}
	err := log.Events(repo, func(e audit.Event) error {
		if e.Destination != destination || e.Repository != repo || e.What == audit.Refused {
			return nil
		}
		kind, _, _ := strings.Cut(e.Object, "/")
		if strings.HasPrefix(e.Object, "/") {
			kind = ""
		}
		counts[adminapi.Deed{Day: e.Time.UTC().Format(dayLayout), What: e.What, Kind: kind, Who: e.Who}] += max(1, e.Count)
		return nil
	})
	deeds := make([]adminapi.Deed, 0, len(counts))
	for deed, n := range counts {
		deed.Count = n
		deeds = append(deeds, deed)
	}
	slices.SortFunc(deeds, func(a, b adminapi.Deed) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.What, b.What), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Who, b.Who))
	})
	return deeds, err
}
