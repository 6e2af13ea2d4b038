package redistest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// What SetupNS8 writes.
const (
	ClusterUUID = "5bd0a5b6-7f17-4bd9-8d2c-2f0c1a5f2a11"
	Network     = "10.5.4.0/24"
	LeaderIP    = "10.5.4.1"
)

// Module is an installed application.
type Module struct {
	ID    string // "traefik1"
	UUID  string
	Node  string // empty: "1"
	Image string // IMAGE_URL; empty: ghcr.io/nethserver/<ID without digits>:latest
}

// Destination is a backup destination as add-backup-repository writes it.
type Destination struct {
	ID, Name, Provider, URL, BasePath string
	RcloneConf                        string // empty: no entry
	ResticPassword                    string // empty: Password(ID)
}

// Schedule is a backup schedule.
type Schedule struct {
	ID, Repository, Name string
	Disabled             bool
	Retention            int    // 0: 3
	Schedule             string // empty: "daily"
	Instances            []string
}

// Password is the password of a user: 64 hex digits.
func Password(user string) string { return digest("password of " + user) }

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// SetupNS8 gives user default the permissions it has on NethServer 8, and makes
// a cluster of one node, "1", the leader.
func (s *Server) SetupNS8() {
	s.tb.Helper()
	s.Do("SET", catalog.ClusterUUID, ClusterUUID)
	s.Do("SET", catalog.ClusterNetwork, Network)
	s.Do("HSET", catalog.ClusterEnvironment, catalog.FieldNodeID, "1")
	s.Do("ACL", "SETUSER", "default", "reset", "on", "nopass",
		"%R~cluster/*", "%R~node/*", "%R~module/*", "&*", "+@read", "+@connection", "+subscribe", "+psubscribe")
	s.Do("ACL", "SETUSER", "api-server", "reset", "on", "#"+digest(Password("api-server")),
		"~task/*", "%R~cluster/*", "&*", "+@read", "+@write", "+@connection", "+subscribe", "+psubscribe")
	s.AddNode("1", LeaderIP)
}

// AddNode makes a node with its user "node/<id>", whose password is
// Password("node/<id>"), and announces it.
func (s *Server) AddNode(id, vpnAddress string) {
	s.tb.Helper()
	s.Do("HSET", catalog.NodeVPNKey(id), catalog.FieldIPAddress, vpnAddress)
	s.Do(agentUser("node/"+id, "%R~private/nodes/*", "+psync", "+replconf")...)
	s.SaveACLs()
}

// AddModules installs modules, each with its user "module/<id>", whose password
// is Password("module/<id>"), and announces them once.
func (s *Server) AddModules(modules ...Module) {
	s.tb.Helper()
	_, err := s.admin.Pipelined(s.tb.Context(), func(p redis.Pipeliner) error {
		for _, m := range modules {
			m.write(s, p)
		}
		return nil
	})
	s.must(err)
	s.SaveACLs()
}

func (m Module) write(s *Server, p redis.Pipeliner) {
	ctx := s.tb.Context()
	if m.Node == "" {
		m.Node = "1"
	}
	if m.Image == "" {
		m.Image = "ghcr.io/nethserver/" + strings.TrimRight(m.ID, "0123456789") + ":latest"
	}
	p.HSet(ctx, catalog.ModuleUUID, m.ID, m.UUID)
	p.HSet(ctx, catalog.ModuleNode, m.ID, m.Node)
	p.HSet(ctx, catalog.ModuleEnvironmentKey(m.ID),
		"MODULE_ID", m.ID, "MODULE_UUID", m.UUID, catalog.FieldNodeID, m.Node, catalog.FieldImageURL, m.Image)
	p.Do(ctx, agentUser("module/"+m.ID)...)
}

// RemoveModule uninstalls a module and announces it.
func (s *Server) RemoveModule(id string) {
	s.tb.Helper()
	s.Do("HDEL", catalog.ModuleUUID, id)
	s.Do("HDEL", catalog.ModuleNode, id)
	s.Do("DEL", catalog.ModuleEnvironmentKey(id))
	s.Do("ACL", "DELUSER", "module/"+id)
	s.SaveACLs()
}

// agentUser is the command that makes the user of a node's or module's agent.
func agentUser(name string, rules ...string) []any {
	args := []any{
		"ACL", "SETUSER", name, "reset", "on", "#" + digest(Password(name)),
		"~" + name + "/*", "~task/" + name + "/*",
		"%R~cluster/*", "%R~node/*", "%R~module/*", "%R~private/agents/*",
		"&progress/" + name + "/*", "&" + name + "/event/*",
		"+@read", "+@write", "+@transaction", "+@connection", "+publish", "-@admin",
	}
	for _, r := range rules {
		args = append(args, r)
	}
	return args
}

// SaveACLs rewrites the set of ACL lines and announces it, as NethServer 8 does
// after each change of a user.
func (s *Server) SaveACLs() {
	s.tb.Helper()
	ctx := s.tb.Context()
	lines, err := s.admin.ACLList(ctx).Result()
	s.must(err)
	lines = slices.DeleteFunc(lines, func(line string) bool {
		return slices.Contains([]string{"default", AdminUser, "api-server"}, strings.Fields(line)[1])
	})
	_, err = s.admin.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, catalog.ACLs)
		p.SAdd(ctx, catalog.ACLs, lines)
		p.Publish(ctx, catalog.ChannelACLChanged, catalog.ACLs)
		return nil
	})
	s.must(err)
}

// CopyUsers makes the users of another server, which a replica does not get from it.
func (s *Server) CopyUsers(from *Server) {
	s.tb.Helper()
	lines, err := from.admin.ACLList(s.tb.Context()).Result()
	s.must(err)
	for _, line := range lines {
		words := strings.Fields(line) // user NAME RULE…
		if words[1] == AdminUser {
			continue
		}
		args := []any{"ACL", "SETUSER", words[1], "reset"}
		for _, rule := range words[2:] {
			args = append(args, rule)
		}
		s.Do(args...)
	}
}

// AddDestinations adds destinations, or changes them, and announces each.
func (s *Server) AddDestinations(destinations ...Destination) {
	s.tb.Helper()
	_, err := s.admin.Pipelined(s.tb.Context(), func(p redis.Pipeliner) error {
		for _, d := range destinations {
			d.write(s, p)
		}
		return nil
	})
	s.must(err)
}

func (d Destination) write(s *Server, p redis.Pipeliner) {
	ctx := s.tb.Context()
	if d.ResticPassword == "" {
		d.ResticPassword = Password(d.ID)
	}
	p.HSet(ctx, catalog.DestinationKey(d.ID), catalog.FieldURL, d.URL, catalog.FieldName, d.Name,
		catalog.FieldProvider, d.Provider, catalog.FieldBasePath, d.BasePath)
	p.HSet(ctx, catalog.ResticPassword, d.ID, d.ResticPassword)
	if d.RcloneConf == "" {
		p.HDel(ctx, catalog.RcloneConf, d.ID)
	} else {
		p.HSet(ctx, catalog.RcloneConf, d.ID, d.RcloneConf)
	}
	announce(s, p, d.ID)
}

// AddLocalDestination adds a destination that is a directory of the node.
func (s *Server) AddLocalDestination(id, dir string) {
	s.tb.Helper()
	s.AddDestinations(Destination{
		ID: id, Name: "local " + id, Provider: "rclone", URL: "rclone:local:" + id[:5] + ":" + dir,
		BasePath: dir, RcloneConf: "[" + id + "]\ntype = local\n",
	})
}

// RemoveDestination removes a destination and announces it.
func (s *Server) RemoveDestination(id string) {
	s.tb.Helper()
	_, err := s.admin.Pipelined(s.tb.Context(), func(p redis.Pipeliner) error {
		ctx := s.tb.Context()
		p.Del(ctx, catalog.DestinationKey(id))
		p.HDel(ctx, catalog.RcloneConf, id)
		p.HDel(ctx, catalog.ResticPassword, id)
		announce(s, p, id)
		return nil
	})
	s.must(err)
}

func announce(s *Server, p redis.Pipeliner, destination string) {
	p.Publish(s.tb.Context(), catalog.ChannelDestinationChanged,
		fmt.Sprintf(`{"destination_ids":[%q]}`, destination))
}

// Grant lets the module with the new UUID read the repository of the source.
func (s *Server) Grant(newUUID, sourceUUID string) {
	s.tb.Helper()
	s.Do("HSET", catalog.RestoreUUID, newUUID, sourceUUID)
}

// AddSchedule adds a backup schedule and announces it.
func (s *Server) AddSchedule(b Schedule) {
	s.tb.Helper()
	enabled := "1"
	if b.Disabled {
		enabled = ""
	}
	if b.Retention == 0 {
		b.Retention = 3
	}
	if b.Schedule == "" {
		b.Schedule = "daily"
	}
	s.Do("HSET", catalog.BackupKey(b.ID), "repository", b.Repository, "name", b.Name,
		"retention", b.Retention, "schedule", b.Schedule, "schedule_hint", "{}",
		"enabled", enabled, "instances", strings.Join(b.Instances, " "), "uinstances", "")
	if last, err := s.admin.Get(s.tb.Context(), catalog.BackupSequence).Int(); err != nil || last < number(b.ID) {
		s.Do("SET", catalog.BackupSequence, number(b.ID))
	}
	s.Do("PUBLISH", catalog.ChannelScheduleChanged, fmt.Sprintf(`{"backup_ids":[%q]}`, b.ID))
}

// number is the number that the ID of a schedule is.
func number(id string) int {
	n, _ := strconv.Atoi(id) // tests name some that no cluster has
	return n
}
