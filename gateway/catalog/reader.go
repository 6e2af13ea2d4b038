package catalog

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/listreply"
)

// Reader loads the catalog repeatedly, for one goroutine.
type Reader struct {
	rdb  redis.UniversalClient
	opts LoadOptions
	seed maphash.Seed

	last  *Snapshot
	lines map[string]*userLine // by user; nil unless each user has exactly one line
	ask   []any                // the command that lists them
	round int
}

// userLine is a user's line in the list of users.
type userLine struct {
	hash  uint64
	round int // the last round in which it was seen
}

// maxUserChanges bounds how many changed users are read individually.
const maxUserChanges = 500

// NewReader returns a Reader that has read nothing.
func NewReader(rdb redis.UniversalClient, opts LoadOptions) *Reader {
	return &Reader{rdb: rdb, opts: opts, seed: maphash.MakeSeed()}
}

// Load is like the function Load, and remembers the users for LoadUsers.
func (r *Reader) Load(ctx context.Context) (*Snapshot, error) {
	l, err := read(ctx, r.rdb, r.opts)
	if err != nil {
		return nil, err
	}
	r.last, r.lines = l.snapshot, make(map[string]*userLine, len(l.userLines))
	r.ask = []any{"SMEMBERS", ACLs}
	if l.userSource != ACLs {
		r.ask = []any{"ACL", "LIST"}
	}
	for _, line := range l.userLines {
		name, _, err := splitACL(line)
		if err != nil || r.lines[name] != nil {
			r.lines = nil
			break
		}
		r.lines[strings.Clone(name)] = &userLine{hash: maphash.String(r.seed, line)}
	}
	return l.snapshot, nil
}

// LoadUsers returns the last snapshot with the present users: those added, removed or
// changed since, and modules that had no UUID. Everything else is shared with the last
// snapshot. It reads the list of users, and parses only what is new in it.
//
// It reports false if too much has changed, or Redis did not answer completely: call Load,
// which succeeds or returns the error.
func (r *Reader) LoadUsers(ctx context.Context) (snapshot *Snapshot, ok bool) {
	defer func() {
		if recover() != nil { // as in read
			snapshot, ok = nil, false
		}
	}()
	if r.lines == nil {
		return nil, false
	}
	d := r.compare(ctx)
	if d.odd || !r.describe(ctx, d) {
		return nil, false
	}
	next := *r.last
	next.Principals = maps.Clone(r.last.Principals)
	for _, name := range d.gone {
		delete(next.Principals, name)
		delete(r.lines, name)
	}
	for name, user := range d.changed {
		delete(next.Principals, name)
		if user.line != nil {
			r.lines[name] = user.line
		}
		if user.principal != nil {
			next.Principals[name] = user.principal
		}
	}
	r.last = &next
	return r.last, true
}

// difference is the change of the users.
type difference struct {
	changed map[string]changedUser // by name
	gone    []string
	odd     bool // something that LoadUsers does not handle
}

// changedUser is the present state of a user.
type changedUser struct {
	line      *userLine  // nil if unchanged
	principal *Principal // nil for a user that is not a principal
}

// compare finds the users whose lines differ from the last ones.
func (r *Reader) compare(ctx context.Context) *difference {
	d := &difference{changed: map[string]changedUser{}}
	r.round++
	same := 0
	err := listreply.Each(ctx, r.rdb, func(line []byte) {
		if known := r.known(line); known == nil || known.hash != maphash.Bytes(r.seed, line) {
			d.add(r, string(line))
		} else {
			d.odd = d.odd || known.round == r.round // it is listed twice
			known.round = r.round
			same++
		}
	}, r.ask...)
	if d.odd = d.odd || err != nil || same+len(d.changed) == 0; d.odd || same == len(r.lines) {
		return d
	}
	for name, line := range r.lines {
		if _, changed := d.changed[name]; line.round != r.round && !changed {
			d.gone = append(d.gone, name)
			d.odd = d.odd || !r.plain(name)
		}
	}
	return d
}

// known returns the known line of a line's user; nil for a new user.
func (r *Reader) known(line []byte) *userLine {
	rest, _ := bytes.CutPrefix(line, []byte("user "))
	name, _, _ := bytes.Cut(rest, []byte(" "))
	return r.lines[string(name)]
}

// add registers a new line.
func (d *difference) add(r *Reader, line string) {
	name, rules, err := splitACL(line)
	if err != nil || len(d.changed) >= maxUserChanges {
		d.odd = true
		return
	}
	name = strings.Clone(name)
	known := r.lines[name]
	_, twice := d.changed[name]
	p, err := parsePrincipal(name, rules)
	if twice || err != nil || known != nil && known.round == r.round || !r.plain(name) || p != nil && p.Role == RoleNode {
		d.odd = true
		return
	}
	if known != nil {
		known.round = r.round
	}
	d.changed[name] = changedUser{line: &userLine{hash: maphash.String(r.seed, line)}, principal: p}
}

// plain reports whether a user is not a node, which more depends on, and has no warnings.
func (r *Reader) plain(name string) bool {
	if p := r.last.Principals[name]; p != nil && p.Role == RoleNode {
		return false
	}
	_, id, _ := strings.Cut(name, "/")
	return !slices.ContainsFunc(r.last.Warnings, func(w Warning) bool { return id != "" && strings.Contains(w.Key, id) })
}

// moduleReplies are the replies about one module.
type moduleReplies struct{ uuid, node, image *redis.StringCmd }

// describe reads the repositories of the modules that changed, and of those that had none.
func (r *Reader) describe(ctx context.Context, d *difference) bool {
	modules := r.modulesToAsk(d)
	if len(modules) == 0 {
		return true
	}
	if len(modules) > maxUserChanges {
		return false
	}
	p := r.rdb.Pipeline()
	grants := p.HGetAll(ctx, RestoreUUID)
	replies := make(map[string]moduleReplies, len(modules))
	for name, module := range modules {
		replies[name] = moduleReplies{
			uuid: p.HGet(ctx, ModuleUUID, module.ID), node: p.HGet(ctx, ModuleNode, module.ID),
			image: p.HGet(ctx, ModuleEnvironmentKey(module.ID), FieldImageURL),
		}
	}
	_, _ = p.Exec(ctx) // each command has its own error
	if grants.Err() != nil {
		return false
	}
	granted := validGrants(grants.Val())
	for name, module := range modules {
		user, changed := d.changed[name]
		switch whole := r.describeModule(module, replies[name], granted); {
		case whole:
			d.changed[name] = changedUser{line: user.line, principal: module}
		case changed:
			return false
		}
	}
	return true
}

// modulesToAsk returns fresh copies of the modules whose repositories must be read.
func (r *Reader) modulesToAsk(d *difference) map[string]*Principal {
	modules := map[string]*Principal{}
	for name, p := range r.last.Principals {
		if p.Role == RoleModule && len(p.Own) == 0 {
			p := *p
			modules[name] = &p
		}
	}
	for _, name := range d.gone {
		delete(modules, name)
	}
	for name, user := range d.changed {
		delete(modules, name)
		if user.principal != nil && user.principal.Role == RoleModule {
			modules[name] = user.principal
		}
	}
	return modules
}

// describeModule sets a module's node and repositories. It reports whether the replies were
// complete and without a reason for a warning.
func (r *Reader) describeModule(p *Principal, said moduleReplies, grants map[string]string) bool {
	for _, cmd := range []*redis.StringCmd{said.uuid, said.node, said.image} {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return false
		}
	}
	p.Node = said.node.Val()
	if validNodeID(p.Node) && r.last.Nodes[p.Node] == nil {
		return false
	}
	uuid := said.uuid.Val()
	if uuid == "" {
		return true
	}
	return validUUID(uuid) && p.ownRepositories(uuid, said.image.Val(), grants) == nil
}
