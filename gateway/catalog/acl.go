package catalog

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
)

// Reasons why a user that looks like a principal is not one. They appear in warnings, so
// they name no rule and no hash.
var (
	errNotACL     = errors.New("not a line of ACL LIST")
	errBadID      = errors.New("the name is no valid node or module ID, nor an administrator's name")
	errNoPass     = errors.New("the user has nopass, so its password proves nothing; it is refused")
	errNoPassword = errors.New("the user has no password")
	errBadHash    = errors.New("a password is not a SHA-256 hash in lower-case hexadecimal")
)

// Accepts reports whether a password is one of the principal's. It takes the same time for
// all passwords of one length, does not allocate, and does the same work for a nil
// Principal, which has no passwords.
func (p *Principal) Accepts(password []byte) bool {
	sum := sha256.Sum256(password)
	if p == nil {
		return false
	}
	found := 0
	for i := range p.passwords {
		found |= subtle.ConstantTimeCompare(sum[:], p.passwords[i][:])
	}
	return found == 1
}

// Mark changes whenever the passwords do. It must not be shown, although it reveals no
// password.
func (p *Principal) Mark() [sha256.Size]byte {
	hash := sha256.New()
	for i := range p.passwords {
		hash.Write(p.passwords[i][:])
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

// String returns the principal's name, so that no digest gets into a log.
func (p *Principal) String() string { return p.Name }

// splitACL splits a line of ACL LIST, "user <name> <rules>".
func splitACL(line string) (name, rules string, err error) {
	rest, ok := strings.CutPrefix(line, "user ")
	if !ok {
		return "", "", errNotACL
	}
	name, rules, _ = strings.Cut(rest, " ")
	if name == "" {
		return "", "", errNotACL
	}
	return name, rules, nil
}

// parsePrincipal parses the rules of one user in the form of ACL LIST. It returns nil and
// no error for disabled users, and for names that are not those of principals.
func parsePrincipal(name, rules string) (*Principal, error) {
	name = strings.Clone(name) // do not keep the whole line in memory
	p := &Principal{Name: name}
	if id, ok := strings.CutPrefix(name, "node/"); ok {
		p.Role, p.ID = RoleNode, id
	} else if id, ok := strings.CutPrefix(name, "module/"); ok {
		p.Role, p.ID = RoleModule, id
	} else if id, ok := strings.CutPrefix(name, "admin/"); ok {
		p.Role, p.ID = RoleAdmin, id
	} else {
		return nil, nil
	}
	if p.Role == RoleNode && !validNodeID(p.ID) || p.Role == RoleModule && !validModuleID(p.ID) || p.Role == RoleAdmin && !validApp(p.ID) {
		return nil, errBadID
	}
	on, err := p.readRules(rules)
	if err != nil || !on {
		return nil, err
	}
	if len(p.passwords) == 0 {
		return nil, errNoPassword
	}
	return p, nil
}

// readRules collects the passwords, and whether the user is enabled. Names and patterns
// contain no spaces. Only selectors do, "(~key* +get)"; they concern commands, keys and
// channels, which are irrelevant here.
func (p *Principal) readRules(rules string) (on bool, err error) {
	off, selector := false, false
	for rule := range strings.SplitSeq(rules, " ") {
		if selector || strings.HasPrefix(rule, "(") {
			selector = !strings.HasSuffix(rule, ")")
			continue
		}
		switch rule {
		case "on":
			on = true
		case "off":
			off = true
		case "nopass":
			return false, errNoPass
		case "reset", "resetpass":
			return false, errNotACL // an instruction to ACL SETUSER, never in ACL LIST
		}
		switch {
		case strings.HasPrefix(rule, "#"):
			digest, ok := parseDigest(rule[1:])
			if !ok {
				return false, errBadHash
			}
			p.passwords = append(p.passwords, digest)
		case strings.HasPrefix(rule, ">"), strings.HasPrefix(rule, "<"), strings.HasPrefix(rule, "!"):
			return false, errNotACL // so are these
		}
	}
	return on && !off, nil
}

// parseDigest parses a hash in the only form that Redis uses.
func parseDigest(s string) (digest [sha256.Size]byte, ok bool) {
	if len(s) != hex.EncodedLen(len(digest)) || strings.ContainsAny(s, "ABCDEF") {
		return digest, false
	}
	_, err := hex.Decode(digest[:], []byte(s))
	return digest, err == nil
}
