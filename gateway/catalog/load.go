package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ACLSource says where users are read from.
type ACLSource string

// The sources of users. The zero value means auto.
const (
	ACLAuto ACLSource = "auto" // the set cluster/acls, or ACL LIST if it does not exist
	ACLSet  ACLSource = "set"  // the set cluster/acls, as NethServer 8 keeps it
	ACLList ACLSource = "list" // ACL LIST of the server
)

// ParseACLSource parses the value of a flag.
func ParseACLSource(s string) (ACLSource, error) {
	switch source := ACLSource(s); source {
	case ACLAuto, ACLSet, ACLList:
		return source, nil
	}
	return "", fmt.Errorf("%q is no source of users: it must be auto, set or list", s)
}

// LoadOptions says how to read the catalog.
type LoadOptions struct {
	ACLSource ACLSource
	// NodeID is the ID of this node, for destinations of provider cluster. If it is empty,
	// they all belong to peers.
	NodeID string
	// ClusterStore is the directory of this node's destination of provider cluster; empty
	// means DefaultClusterStore.
	ClusterStore string
	// Advise returns advice for a failed connection; nil is the advice for a connection
	// without any settings.
	Advise func(error) string
}

// Load reads the whole catalog in two round trips (three if ACL LIST replaces the set). It
// leaves out unusable entries with a warning. An error means that the data is incomplete
// and that nothing follows from it: keep the last snapshot.
//
// The error includes advice. It wraps the error of Redis or of the network.
func Load(ctx context.Context, rdb redis.UniversalClient, opts LoadOptions) (*Snapshot, error) {
	l, err := read(ctx, rdb, opts)
	if err != nil {
		return nil, err
	}
	return l.snapshot, nil
}

func read(ctx context.Context, rdb redis.UniversalClient, opts LoadOptions) (l *loader, err error) {
	// The client library panics on some replies that Redis would not send.
	defer func() {
		if p := recover(); p != nil {
			l, err = nil, fmt.Errorf("load the catalog: the server's reply is not Redis's: %v", p)
		}
	}()
	l = &loader{rdb: rdb, opts: opts, snapshot: &Snapshot{
		Principals:   make(map[string]*Principal),
		Destinations: make(map[string]*Destination),
		Limits:       make(map[string]Limits),
		Broken:       make(map[string]string),
		Nodes:        make(map[string]*Node),
		Frozen:       make(map[Repository]Freeze),
	}}
	if err := l.load(ctx); err != nil {
		return nil, fmt.Errorf("load the catalog: %w", err)
	}
	slices.SortFunc(l.snapshot.Warnings, func(a, b Warning) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Reason, b.Reason))
	})
	return l, nil
}

type loader struct {
	rdb      redis.UniversalClient
	opts     LoadOptions
	snapshot *Snapshot

	userSource string   // source of the users
	userLines  []string // as read from it
}

// lists is the reply to the first round trip.
type lists struct {
	acls           *redis.StringSliceCmd
	moduleUUIDs    *redis.MapStringStringCmd
	moduleNodes    *redis.MapStringStringCmd
	grants         *redis.MapStringStringCmd
	sections       *redis.MapStringStringCmd
	destinationIDs *redis.StringSliceCmd
	network        *redis.StringCmd
	leader         *redis.StringCmd
	lastSchedule   *redis.StringCmd
}

// details is the reply to the second.
type details struct {
	images       map[string]*redis.StringCmd // by module ID
	addresses    map[string]*redis.StringCmd // by node ID
	destinations map[string]*redis.SliceCmd  // by destination ID
	limits       map[string]*redis.MapStringStringCmd
	schedules    map[string]*redis.SliceCmd           // by their own ID
	frozen       map[string]*redis.MapStringStringCmd // by node ID
}

func (l *loader) load(ctx context.Context) error {
	first, err := l.askLists(ctx)
	if err != nil {
		return err
	}
	if err := l.readUsers(ctx, first.acls); err != nil {
		return err
	}
	l.readCluster(first)
	modules := l.readModules(first)
	l.readModuleNodes(first)

	second, err := l.askDetails(ctx, first, modules)
	if err != nil {
		return err
	}
	l.readNodes(second)
	l.readFrozen(second)
	l.readRepositories(modules, l.readGrants(first), second)
	l.readDestinations(first, second)
	l.readLimits(second)
	l.readSchedules(second)
	return nil
}

func (l *loader) askLists(ctx context.Context) (*lists, error) {
	p := l.rdb.Pipeline()
	first := &lists{
		acls:           p.SMembers(ctx, ACLs),
		moduleUUIDs:    p.HGetAll(ctx, ModuleUUID),
		moduleNodes:    p.HGetAll(ctx, ModuleNode),
		grants:         p.HGetAll(ctx, RestoreUUID),
		sections:       p.HGetAll(ctx, RcloneConf),
		destinationIDs: p.HKeys(ctx, ResticPassword),
		network:        p.Get(ctx, ClusterNetwork),
		leader:         p.HGet(ctx, ClusterEnvironment, FieldNodeID),
		lastSchedule:   p.Get(ctx, BackupSequence),
	}
	_, _ = p.Exec(ctx) // each command has its own error

	// Without these there is nobody to accept, or no destination.
	if err := first.acls.Err(); err != nil && l.opts.ACLSource != ACLList {
		return nil, l.opts.explain(err, ACLs)
	}
	if err := first.moduleUUIDs.Err(); err != nil {
		return nil, l.opts.explain(err, ModuleUUID)
	}
	if err := first.sections.Err(); err != nil {
		return nil, l.opts.explain(err, RcloneConf)
	}
	return first, errors.Join(
		l.tolerate(ModuleNode, first.moduleNodes.Err()),
		l.tolerate(RestoreUUID, first.grants.Err()),
		l.tolerate(ResticPassword, first.destinationIDs.Err()),
		l.tolerate(ClusterNetwork, first.network.Err()),
		l.tolerate(ClusterEnvironment+" "+FieldNodeID, first.leader.Err()),
		l.tolerate(BackupSequence, first.lastSchedule.Err()),
	)
}

// tolerate turns an error about a single key into a warning. An absent key is not an error.
func (l *loader) tolerate(key string, err error) error {
	switch {
	case err == nil, errors.Is(err, redis.Nil):
		return nil
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		l.warn(key, errors.New("the key is of another type than NethServer 8 gives it"))
		return nil
	case redis.HasErrorPrefix(err, "NOPERM"):
		l.warn(key, errors.New("our Redis user may not read it"))
		return nil
	default:
		return l.opts.explain(err, key)
	}
}

func (l *loader) warn(key string, reason error) {
	l.snapshot.Warnings = append(l.snapshot.Warnings, Warning{Key: key, Reason: reason.Error()})
}

func (l *loader) askDetails(ctx context.Context, first *lists, modules map[string]string) (*details, error) {
	second := &details{
		images:       make(map[string]*redis.StringCmd, len(modules)),
		addresses:    make(map[string]*redis.StringCmd),
		destinations: make(map[string]*redis.SliceCmd),
		limits:       make(map[string]*redis.MapStringStringCmd),
		schedules:    make(map[string]*redis.SliceCmd),
		frozen:       make(map[string]*redis.MapStringStringCmd),
	}
	p := l.rdb.Pipeline()
	for id := range modules {
		second.images[id] = p.HGet(ctx, ModuleEnvironmentKey(id), FieldImageURL)
	}
	for id := range l.nodeIDs(first) {
		second.addresses[id] = p.HGet(ctx, NodeVPNKey(id), FieldIPAddress)
		second.frozen[id] = p.HGetAll(ctx, FrozenKey(id))
	}
	for id := range l.destinationIDs(first) {
		second.destinations[id] = p.HMGet(ctx, DestinationKey(id), FieldURL, FieldName, FieldProvider, FieldBasePath)
		second.limits[id] = p.HGetAll(ctx, LimitsKey(id))
	}
	for _, id := range scheduleIDs(first.lastSchedule.Val()) {
		second.schedules[id] = p.HMGet(ctx, BackupKey(id), scheduleFields...)
	}
	if p.Len() > 0 {
		_, _ = p.Exec(ctx) // each command has its own error
	}
	return second, l.checkDetails(second)
}

func (l *loader) checkDetails(second *details) error {
	for id, cmd := range second.images {
		if err := l.tolerate(ModuleEnvironmentKey(id)+" "+FieldImageURL, cmd.Err()); err != nil {
			return err
		}
	}
	for id, cmd := range second.addresses {
		if err := l.tolerate(NodeVPNKey(id)+" "+FieldIPAddress, cmd.Err()); err != nil {
			return err
		}
	}
	for id, cmd := range second.destinations {
		err := errors.Join(l.tolerate(DestinationKey(id), cmd.Err()), l.tolerate(LimitsKey(id), second.limits[id].Err()))
		if err != nil {
			return err
		}
	}
	for id, cmd := range second.frozen {
		if err := l.tolerate(FrozenKey(id), cmd.Err()); err != nil {
			return err
		}
	}
	for id, cmd := range second.schedules {
		if err := l.tolerate(BackupKey(id), cmd.Err()); err != nil {
			return err
		}
	}
	return nil
}

// nodeIDs returns the IDs of the nodes that are principals or run a module.
func (l *loader) nodeIDs(first *lists) map[string]bool {
	ids := make(map[string]bool)
	for _, p := range l.snapshot.Principals {
		if p.Role == RoleNode {
			ids[p.ID] = true
		}
	}
	for _, id := range first.moduleNodes.Val() {
		if validNodeID(id) {
			ids[id] = true
		}
	}
	return ids
}

// destinationIDs returns the IDs of the destinations with an rclone section or a restic
// password: a destination of provider cluster may have only the latter.
func (l *loader) destinationIDs(first *lists) map[string]bool {
	ids := make(map[string]bool)
	for id := range first.sections.Val() {
		if ids[id] = validUUID(id); !ids[id] {
			l.warn(RcloneConf+" "+id, errNoUUID)
		}
	}
	for _, id := range first.destinationIDs.Val() {
		if _, known := ids[id]; known {
			continue
		}
		if ids[id] = validUUID(id); !ids[id] {
			l.warn(ResticPassword+" "+id, errNoUUID)
		}
	}
	maps.DeleteFunc(ids, func(_ string, valid bool) bool { return !valid })
	return ids
}
