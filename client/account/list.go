package account

import (
	"slices"
	"strings"
)

// List is the answer to ACL LIST: one line for each user.
type List []string

// Principals are the lines of nodes' and modules' users, and of those who may look at the
// page: all that the gateway accepts. No user who administers Redis is among them.
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

// Nodes are the IDs of the nodes.
func (l List) Nodes() []string { return l.idsBehind("node/") }

// Modules are the IDs of the modules.
func (l List) Modules() []string { return l.idsBehind("module/") }

// Admins are the names of those who may look at the page.
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

// Digests are those of a user's passwords, in the order in which it got them.
func (l List) Digests(user string) []string {
	var digests []string
	for _, rule := range l.line(user) {
		if digest, ok := strings.CutPrefix(rule, "#"); ok {
			digests = append(digests, digest)
		}
	}
	return digests
}

// Open reports whether the user may do everything without a password.
func (l List) Open(user string) bool {
	rules := l.line(user)
	return slices.Contains(rules, "on") && slices.Contains(rules, "nopass") &&
		slices.Contains(rules, "~*") && slices.Contains(rules, "+@all")
}

// OfNS8 reports whether these are the users of a NethServer 8 cluster, which makes
// nodes and modules itself.
func (l List) OfNS8() bool { return l.Has("cluster") && l.Has("api-server") }

// line returns the words of the user's line, nil where there is none.
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
