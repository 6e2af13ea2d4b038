package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func hash(password string) string {
	sum := sha256.Sum256([]byte(password))
	return "#" + hex.EncodeToString(sum[:])
}

// parseLine is what Load does with a line.
func parseLine(line string) (*Principal, error) {
	name, rules, err := splitACL(line)
	if err != nil {
		return nil, err
	}
	return parsePrincipal(name, rules)
}

func TestACLLineMakesAPrincipalOrNone(t *testing.T) {
	good := hash("secret")
	for _, tt := range []struct {
		name, line string
		role       Role // zero: no principal
		id         string
		err        error
	}{
		{"a node of NethServer 8", "user node/1 on " + good + " ~node/1/* ~task/node/1/* %R~cluster/* resetchannels &progress/node/1/* -@all +@read +publish +psync", RoleNode, "1", nil},
		{"a module of NethServer 8", "user module/traefik1 on " + good + " ~module/traefik1/* resetchannels -@all +@read", RoleModule, "traefik1", nil},
		{"a module whose image name has hyphens, dots and digits", "user module/n8n-io.web_x12 on " + good, RoleModule, "n8n-io.web_x12", nil},
		{"flags of Redis 7 before the password", "user node/1 on sanitize-payload " + good + " ~* &* +@all", RoleNode, "1", nil},
		{"rules before the password", "user node/1 ~* +@all on " + good, RoleNode, "1", nil},
		{"selectors", "user node/1 on " + good + " resetchannels -@all (~a resetchannels -@all +get) (~b -@all)", RoleNode, "1", nil},
		{"words inside a selector, which mean nothing outside", "user node/1 on " + good + " (~a nopass off " + hash("x") + " >y)", RoleNode, "1", nil},
		{"patterns that look like rules", "user node/1 on " + good + " ~off ~nopass ~#dead ~(a &)b", RoleNode, "1", nil},

		{"a user that is off", "user node/1 off " + good, 0, "", nil},
		{"a user that is off, whatever stands before", "user node/1 on off " + good, 0, "", nil},
		{"a user that is neither on nor off", "user node/1 " + good, 0, "", nil},
		{"the cluster", "user cluster on " + good + " ~* &* +@all", 0, "", nil},
		{"default", "user default on nopass ~* &* +@all", 0, "", nil},
		{"a user whose name only begins alike", "user nodes/1 on " + good, 0, "", nil},
		{"a user whose name only ends alike", "user x/node/1 on " + good, 0, "", nil},
		{"a user in capitals", "user Node/1 on " + good, 0, "", nil},

		{"nopass", "user node/1 on nopass ~*", 0, "", errNoPass},
		{"nopass beside a password", "user node/1 on " + good + " nopass", 0, "", errNoPass},
		{"no password", "user node/1 on ~*", 0, "", errNoPassword},
		{"a short hash", "user node/1 on " + good[:64], 0, "", errBadHash},
		{"a long hash", "user node/1 on " + good + "0", 0, "", errBadHash},
		{"a hash in capitals", "user node/1 on " + strings.ToUpper(good), 0, "", errBadHash},
		{"a hash with other characters", "user node/1 on #" + strings.Repeat("g", 64), 0, "", errBadHash},
		{"a good and a bad hash", "user node/1 on " + good + " #12", 0, "", errBadHash},
		{"an empty hash", "user node/1 on #", 0, "", errBadHash},
		{"a password in clear text, as ACL SETUSER takes it", "user node/1 on >secret", 0, "", errNotACL},
		{"an instruction that takes passwords away", "user node/1 on " + good + " resetpass", 0, "", errNotACL},
		{"a node without ID", "user node/ on " + good, 0, "", errBadID},
		{"a node with a zero before its number", "user node/01 on " + good, 0, "", errBadID},
		{"node zero", "user node/0 on " + good, 0, "", errBadID},
		{"a node with a word for a number", "user node/one on " + good, 0, "", errBadID},
		{"a module without ID", "user module/ on " + good, 0, "", errBadID},
		{"a module that is only a number", "user module/12 on " + good, 0, "", errBadID},
		{"a module above", "user module/.. on " + good, 0, "", errBadID},
		{"a module with a slash", "user module/a/b1 on " + good, 0, "", errBadID},
		{"a module in capitals", "user module/Traefik1 on " + good, 0, "", errBadID},
		{"a module whose app type would end in a dot", "user module/a.1 on " + good, 0, "", errBadID},
		{"nothing", "", 0, "", errNotACL},
		{"no name", "user ", 0, "", errNotACL},
		{"two spaces before the name", "user  node/1 on " + good, 0, "", errNotACL},
		{"no user", "node/1 on " + good, 0, "", errNotACL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parseLine(tt.line)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			switch {
			case tt.role == 0 && p != nil:
				t.Errorf("made principal %v", p)
			case tt.role != 0 && (p == nil || p.Role != tt.role || p.ID != tt.id):
				t.Errorf("got %+v", p)
			case p != nil && (!p.Accepts([]byte("secret")) || p.Accepts([]byte("x"))):
				t.Error("accepts other passwords than its own")
			}
		})
	}
}

func TestPrincipalAcceptsAnyOfItsPasswordsAndNothingElse(t *testing.T) {
	p, err := parseLine("user node/1 on " + hash("old") + " " + hash("new: with colon, ü") + " ~*")
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{
		"old": true, "new: with colon, ü": true,
		"": false, "Old": false, "old ": false, hash("old"): false, hash("old")[1:]: false,
		strings.Repeat("old", 100_000): false,
	} {
		if got := p.Accepts([]byte(password)); got != want {
			t.Errorf("Accepts(%.20q) = %v", password, got)
		}
	}
	if (*Principal)(nil).Accepts([]byte("old")) {
		t.Error("nobody accepts a password")
	}
}

func TestAcceptsDoesNotAllocate(t *testing.T) {
	p, err := parseLine("user node/1 on " + hash("old") + " " + hash("new"))
	if err != nil {
		t.Fatal(err)
	}
	password := []byte("new")
	if n := testing.AllocsPerRun(100, func() { p.Accepts(password) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAccepts(b *testing.B) {
	p, err := parseLine("user node/1 on " + hash("a password of usual length, 36 chars"))
	if err != nil {
		b.Fatal(err)
	}
	password := []byte("a password of usual length, 36 chars")
	b.ReportAllocs()
	for b.Loop() {
		p.Accepts(password)
	}
}

func FuzzACLLine(f *testing.F) {
	for _, line := range []string{
		"user node/1 on " + hash("a") + " " + hash("b") + " ~x/* %R~y resetchannels &c\"h +@all -get (~z resetchannels -@all +get)",
		"user module/x3 on skip-sanitize-payload " + hash("q") + " ~* &* +@all",
		"user module/x2 off sanitize-payload resetchannels -@all",
		"user default on nopass ~* &* +@all",
		"user we\"ird on resetchannels -@all",
		"user node/1 on #", "user node/1 on ( #", "user module/ü1 on " + hash(""), "user", "",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, err := parseLine(line)
		if err != nil {
			for rule := range strings.SplitSeq(line, " ") {
				if len(rule) > 20 && strings.Contains(err.Error(), rule) {
					t.Errorf("the error repeats a rule: %v", err)
				}
			}
		}
		if p == nil {
			return
		}
		if err != nil {
			t.Fatal("both a principal and an error")
		}
		if len(p.passwords) == 0 || !strings.HasPrefix(line, "user "+p.Name+" ") {
			t.Errorf("principal %q without password or under another name", p.Name)
		}
		if p.Name != "node/"+p.ID && p.Name != "module/"+p.ID {
			t.Errorf("principal %q has ID %q", p.Name, p.ID)
		}
		if strings.ContainsAny(p.ID, "/\\ %\x00\n") || strings.HasPrefix(p.ID, ".") {
			t.Errorf("ID %q", p.ID)
		}
	})
}
