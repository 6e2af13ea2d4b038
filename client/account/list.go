package account

import (
	"slices"
	"strings"
)

// List is the reply to ACL LIST: one line per user.
type List []string

// Principals returns the lines of the users that the gateway accepts: nodes, modules and
// people who may see the status pages. Redis administrators are not among them.
func (l List) Principals() []string {
	var lines []string
	for _, line := range l {
		kind, _, named := strings.Cut(nameIn(line), "/")
		if named && slices.Contains([]string{"node", "module", "admin"}, kind) {
			lines = append(lines, line)
		}
	}
	return lines
}

// Nodes returns the IDs of the nodes.
func (l List) Nodes() []string { return l.idsBehind("node/") }

// Modules returns the IDs of the modules.
func (l List) Modules() []string { return l.idsBehind("module/") }

// Admins returns the names of the people who may see the status pages.
func (l List) Admins() []string { return l.idsBehind("admin/") }

func (l List) idsBehind(prefix string) []string {
	var ids []string
	for _, line := range l {
		if id, ok := strings.CutPrefix(nameIn(line), prefix); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// Has reports whether the user exists.
func (l List) Has(user string) bool { return l.line(user) != nil }

// Accepts reports whether the user exists and has this password.
func (l List) Accepts(user, password string) bool {
	return slices.Contains(l.line(user), "#"+Digest(password))
}

// Digests returns the digests of a user's passwords, oldest first.
func (l List) Digests(user string) []string {
	var digests []string
	for _, rule := range l.line(user) {
		if digest, ok := strings.CutPrefix(rule, "#"); ok {
			digests = append(digests, digest)
		}
	}
	return digests
}

// Open reports whether the user has all permissions and needs no password.
func (l List) Open(user string) bool {
	rules := l.line(user)
	return slices.Contains(rules, "on") && slices.Contains(rules, "nopass") &&
		slices.Contains(rules, "~*") && slices.Contains(rules, "+@all")
}

// OfNS8 reports whether these are the users of a NethServer 8 cluster, which manages nodes
// and modules itself.
func (l List) OfNS8() bool { return l.Has("cluster") && l.Has("api-server") }

// line returns the words of the user's line, nil if the user does not exist.
func (l List) line(user string) []string {
	for _, line := range l {
		if nameIn(line) == user {
			return strings.Fields(line)
		}
	}
	return nil
}

func nameIn(line string) string {
	words := strings.SplitN(line, " ", 3)
	if len(words) < 2 || words[0] != "user" {
		return ""
	}
	return words[1]
}
