package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
)

// readUsers builds the principals.
func (l *loader) readUsers(ctx context.Context, set *redis.StringSliceCmd) error {
	source, lines := ACLs, set.Val()
	if l.opts.ACLSource == ACLList || len(lines) == 0 && l.opts.ACLSource != ACLSet {
		list := l.rdb.ACLList(ctx)
		if err := list.Err(); err != nil {
			return l.opts.explainNoUsers(err)
		}
		source, lines = "ACL LIST", list.Val()
	}
	if len(lines) == 0 {
		return fmt.Errorf("there are no users: the set %s does not exist; have the cluster write it, or read the users from ACL LIST (--acl-source list)", ACLs)
	}
	l.userSource, l.userLines = source, lines
	seen := make(map[string]bool, len(lines))
	for _, line := range lines {
		name, rules, err := splitACL(line)
		if err != nil {
			l.warn(source, err)
			continue
		}
		p, err := parsePrincipal(name, rules)
		switch {
		case seen[name]:
			// It is unknown which of the two is current.
			delete(l.snapshot.Principals, name)
			l.warn(source+" "+name, errors.New("the user is listed twice; it is refused"))
		case err != nil:
			l.warn(source+" "+name, err)
		case p != nil:
			l.snapshot.Principals[name] = p
		}
		seen[name] = true
	}
	return nil
}

func (l *loader) readCluster(first *lists) {
	l.snapshot.LeaderID = first.leader.Val()
	if text := first.network.Val(); text != "" {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			l.warn(ClusterNetwork, errors.New("not a network in CIDR notation"))
			return
		}
		l.snapshot.Network = network.Masked()
	}
}

// readModules finds the UUIDs of the modules that are principals.
func (l *loader) readModules(first *lists) (uuids map[string]string) {
	uuids = make(map[string]string)
	for id, uuid := range first.moduleUUIDs.Val() {
		switch {
		case !validUUID(uuid):
			l.warn(ModuleUUID+" "+id, errNoUUID)
		case l.snapshot.Principals["module/"+id] != nil:
			uuids[id] = uuid
		}
	}
	return uuids
}

var errNoUUID = errors.New("not a UUID in lower case")

// readGrants keeps the restore grants that name two UUIDs.
func (l *loader) readGrants(first *lists) map[string]string {
	grants := validGrants(first.grants.Val())
	for restored := range first.grants.Val() {
		if _, valid := grants[restored]; !valid {
			l.warn(RestoreUUID+" "+restored, errNoUUID)
		}
	}
	return grants
}

// validGrants are the restore grants that name two UUIDs.
func validGrants(all map[string]string) map[string]string {
	grants := maps.Clone(all)
	maps.DeleteFunc(grants, func(restored, source string) bool { return !validUUID(restored) || !validUUID(source) })
	return grants
}

func (l *loader) readNodes(second *details) {
	for id, cmd := range second.addresses {
		node := &Node{ID: id}
		if text := cmd.Val(); text != "" {
			ip, err := netip.ParseAddr(text)
			if err != nil {
				l.warn(NodeVPNKey(id)+" "+FieldIPAddress, errors.New("not an IP address"))
			}
			node.IPAddress = ip
		}
		l.snapshot.Nodes[id] = node
	}
}

// readRepositories sets the repositories of each module: below the app type in its ID, and
// the one in its image's name. The module can write its own IMAGE_URL, but neither its UUID
// nor its grants.
func (l *loader) readRepositories(modules, grants map[string]string, second *details) {
	for id, uuid := range modules {
		p := l.snapshot.Principals["module/"+id]
		if err := p.ownRepositories(uuid, second.images[id].Val(), grants); err != nil {
			l.warn(ModuleEnvironmentKey(id)+" "+FieldImageURL, err)
		}
	}
}

// ownRepositories sets the repositories of a module. An error is about its image; the
// repository that follows from its ID is set anyway.
func (p *Principal) ownRepositories(uuid, image string, grants map[string]string) (err error) {
	apps := []string{appOfModule(p.ID)}
	if image != "" {
		switch app := appOfImage(image); {
		case !validApp(app):
			err = errors.New("not the name of an image")
		case app != apps[0]:
			apps = append(apps, app)
		}
	}
	source, granted := grants[uuid]
	for _, app := range apps {
		p.Own = append(p.Own, app+"/"+uuid)
		if granted {
			p.Granted = append(p.Granted, app+"/"+source)
		}
	}
	return err
}

func (l *loader) readDestinations(first *lists, second *details) {
	where := site{nodeID: l.opts.NodeID, clusterStore: l.opts.ClusterStore, nodes: l.snapshot.Nodes}
	sections := first.sections.Val()
	for id, cmd := range second.destinations {
		if cmd.Err() != nil {
			l.snapshot.Broken[id] = "its record cannot be read" // a warning exists
			continue
		}
		text, hasSection := sections[id]
		d, basePath := newDestination(id, cmd.Val())
		if d == nil {
			// A password that outlived its destination does no harm.
			if hasSection {
				l.warn(RcloneConf+" "+id, errors.New("there is no "+DestinationKey(id)))
			}
			continue
		}
		values, err := sectionOf(d, text)
		if err != nil {
			l.warn(RcloneConf+" "+id, err)
			l.snapshot.Broken[id] = err.Error()
			continue
		}
		if err := where.place(d, basePath, values); err != nil {
			l.warn(DestinationKey(id), err)
			l.snapshot.Broken[id] = err.Error()
			continue
		}
		l.snapshot.Destinations[id] = d
	}
}

// readLimits reads the limits of the destinations that have any.
func (l *loader) readLimits(second *details) {
	for id, cmd := range second.limits {
		if l.snapshot.Destinations[id] == nil || len(cmd.Val()) == 0 {
			continue
		}
		limits, err := ParseLimits(cmd.Val())
		if err != nil {
			l.warn(LimitsKey(id), err)
		}
		l.snapshot.Limits[id] = limits
	}
}

// newDestination parses the reply to HMGET; it returns nil if the hash does not exist.
func newDestination(id string, values []any) (d *Destination, basePath string) {
	if len(values) != 4 || !slices.ContainsFunc(values, func(v any) bool { return v != nil }) {
		return nil, ""
	}
	field := func(i int) string { s, _ := values[i].(string); return s }
	return &Destination{ID: id, URL: field(0), Name: field(1), Provider: field(2)}, field(3)
}

// sectionOf parses the rclone section of a destination that needs one.
func sectionOf(d *Destination, text string) (map[string]string, error) {
	if d.Provider == ProviderCluster || text == "" {
		return nil, nil
	}
	name, values, err := rcloneconf.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("rclone section: %w", err)
	}
	if name != d.ID {
		return nil, errors.New("rclone section: its [name] is not the destination's ID")
	}
	return values, nil
}
