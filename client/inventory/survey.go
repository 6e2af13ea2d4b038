package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// Repository is a module's repository on a destination.
type Repository struct {
	App, UUID string
	// Made is when its config was written, zero if the storage does not know.
	Made time.Time
	// Manifest is what its node wrote next to it, nil if there is no readable one.
	Manifest *Manifest
	// Snapshots are the files of its snapshots, named by ID, newest last. Their time is the
	// time of receipt.
	Snapshots []Entry
}

// Path returns APP/UUID.
func (r Repository) Path() string { return r.App + "/" + r.UUID }

// Latest returns when the last snapshot was received, zero if that is not known.
func (r Repository) Latest() time.Time {
	if len(r.Snapshots) == 0 {
		return time.Time{}
	}
	return r.Snapshots[len(r.Snapshots)-1].Modified
}

// Manifest is the file APP/UUID.json, in which NethServer 8 describes a repository.
type Manifest struct {
	ModuleID     string `json:"module_id"`
	ModuleUIName string `json:"module_ui_name"`
	NodeFQDN     string `json:"node_fqdn"`
	ClusterUUID  string `json:"cluster_uuid"`
	UUID         string `json:"uuid"`
	Timestamp    int64  `json:"timestamp"`
}

// Holding is everything that a destination holds.
type Holding struct {
	Repositories []Repository
	// ClusterBackups are NethServer 8's backups of the cluster itself.
	ClusterBackups []string
	// Foreign lists everything else, each with a guess at what it is.
	Foreign []Foreign
}

// Foreign is something on a destination that no backup created.
type Foreign struct{ Path, What string }

// Survey lists the contents of a destination. Surveys can share a limit.
func (g Gateway) Survey(ctx context.Context, destination string, atOnce *Limit) (Holding, error) {
	s := survey{gateway: g, destination: destination, atOnce: atOnce}
	err := s.root(ctx)
	slices.SortFunc(s.holding.Repositories, func(a, b Repository) int { return strings.Compare(a.Path(), b.Path()) })
	slices.SortFunc(s.holding.Foreign, func(a, b Foreign) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(s.holding.ClusterBackups)
	return s.holding, err
}

// Limit bounds concurrent requests.
type Limit struct{ slots chan struct{} }

// NewLimit returns a limit of n requests.
func NewLimit(n int) *Limit { return &Limit{make(chan struct{}, n)} }

func (l *Limit) do(f func() error) error {
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	return f()
}

// survey is a survey in progress.
type survey struct {
	gateway     Gateway
	destination string
	atOnce      *Limit

	mu      sync.Mutex
	holding Holding
}

// list lists a directory of the destination; one that was deleted meanwhile is empty.
func (s *survey) list(ctx context.Context, dir string) (entries []Entry, err error) {
	err = s.atOnce.do(func() error {
		entries, err = s.gateway.List(ctx, s.destination+"/"+dir)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) && dir != "" {
		return nil, nil
	}
	return entries, err
}

func (s *survey) foreign(path, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding.Foreign = append(s.holding.Foreign, Foreign{path, what})
}

var clusterBackup = regexp.MustCompile(`^cluster-backup-[0-9a-f-]+\.json\.gz\.gpg$`)

// resticNames are the entries of a restic repository.
var resticNames = []string{"config", "data", "index", "keys", "locks", "snapshots"}

// isRepository reports whether the entries are those of a restic repository.
func isRepository(entries []Entry) bool {
	return slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == "config" && !e.Dir })
}

// root examines the top directory of the destination.
func (s *survey) root(ctx context.Context) error {
	entries, err := s.list(ctx, "")
	if err != nil {
		return err
	}
	misplaced := isRepository(entries)
	if misplaced {
		s.foreign(".", "a restic repository in the root")
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, e := range entries {
		switch {
		case misplaced && slices.Contains(resticNames, e.Name):
		case !e.Dir && clusterBackup.MatchString(e.Name):
			s.holding.ClusterBackups = append(s.holding.ClusterBackups, e.Name)
		case !e.Dir:
			s.foreign(e.Name, "a file")
		case !host.PathSegment.MatchString(e.Name):
			s.foreign(e.Name+"/", "a directory")
		default:
			group.Go(func() error { return s.app(ctx, e.Name) })
		}
	}
	return group.Wait()
}

// manifestSuffix follows the UUID in a manifest's name.
const manifestSuffix = ".json"

// app examines the directory of an application.
func (s *survey) app(ctx context.Context, app string) error {
	entries, err := s.list(ctx, app)
	if err != nil {
		return err
	}
	if isRepository(entries) {
		s.foreign(app+"/", "a restic repository that is no module's")
		return nil
	}
	manifests := map[string]bool{}
	for _, e := range entries {
		if uuid, ok := strings.CutSuffix(e.Name, manifestSuffix); ok && !e.Dir {
			manifests[uuid] = true
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, e := range entries {
		switch {
		case e.Dir && host.PathSegment.MatchString(e.Name):
			manifest := manifests[e.Name]
			delete(manifests, e.Name)
			group.Go(func() error { return s.repository(ctx, app, e.Name, manifest) })
		case e.Dir:
			s.foreign(app+"/"+e.Name+"/", "a directory")
		case !strings.HasSuffix(e.Name, manifestSuffix):
			s.foreign(app+"/"+e.Name, "a file")
		}
	}
	for uuid := range manifests {
		s.foreign(app+"/"+uuid+manifestSuffix, "a manifest without a repository")
	}
	return group.Wait()
}

// repository examines a directory that should be a repository.
func (s *survey) repository(ctx context.Context, app, uuid string, manifest bool) error {
	r, err := s.look(ctx, app, uuid, manifest)
	if errors.Is(err, fs.ErrNotExist) {
		s.foreign(app+"/"+uuid+"/", "a directory that is no repository: it has no config")
		return nil
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding.Repositories = append(s.holding.Repositories, r)
	return nil
}

// look reads what can be known of a repository without its password.
func (s *survey) look(ctx context.Context, app, uuid string, manifest bool) (Repository, error) {
	r := Repository{App: app, UUID: uuid}
	entries, err := s.list(ctx, r.Path())
	if err != nil {
		return r, err
	}
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == "config" && !e.Dir })
	if i < 0 {
		return r, fs.ErrNotExist
	}
	r.Made = entries[i].Modified
	if slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == "snapshots" }) {
		if r.Snapshots, err = s.snapshots(ctx, r.Path()); err != nil {
			return r, err
		}
	}
	if manifest {
		r.Manifest, err = s.manifest(ctx, r.Path())
	}
	return r, err
}

var snapshotName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// snapshots lists the snapshots of a repository, in the order of receipt.
func (s *survey) snapshots(ctx context.Context, repository string) ([]Entry, error) {
	entries, err := s.list(ctx, repository+"/snapshots")
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.Dir || !snapshotName.MatchString(e.Name) })
	slices.SortStableFunc(entries, func(a, b Entry) int { return a.Modified.Compare(b.Modified) })
	return entries, err
}

// mostManifest bounds the size of a manifest.
const mostManifest = 64 << 10

// manifest reads a manifest; nil if it is malformed.
func (s *survey) manifest(ctx context.Context, repository string) (*Manifest, error) {
	var data []byte
	err := s.atOnce.do(func() (err error) {
		data, err = s.gateway.Read(ctx, s.destination+"/"+repository+manifestSuffix, mostManifest)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m Manifest
	if json.Unmarshal(data, &m) != nil {
		return nil, nil //nolint:nilerr,nilnil // a malformed manifest counts as missing
	}
	return &m, nil
}

// Look examines one repository, or returns an error that is [fs.ErrNotExist]. Modules may
// look at their own repositories.
func (g Gateway) Look(ctx context.Context, destination, app, uuid string) (Repository, error) {
	s := survey{gateway: g, destination: destination, atOnce: NewLimit(1)}
	return s.look(ctx, app, uuid, true)
}
