package account

import (
	"slices"
	"strings"
	"testing"
)

func TestIDs(t *testing.T) {
	for _, tt := range []struct {
		name  string
		valid func(string) bool
		yes   []string
		no    []string
	}{
		{
			"module IDs", ValidModuleID,
			[]string{"myapp1", "myapp", "my-app_2", "n8n1", strings.Repeat("a", 100)},
			[]string{"", "1", "1app", "App1", "my.app", "my/app1", "my*1", "my app1", "myapp1\n", "-app", strings.Repeat("a", 101)},
		},
		{
			"application types", ValidApp,
			[]string{"myapp", "n8n", "9", "my.app-x_y"},
			[]string{"", ".app", "app.", "App", "my/app", "../x", "app ", "app:1"},
		},
		{"node IDs", ValidNodeID, []string{"1", "42", "999999999"}, []string{"", "0", "01", "-1", "x", "1 ", "1000000000"}},
		{
			"UUIDs", ValidUUID,
			[]string{"0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11", NewUUID()},
			[]string{"", "0B8FBDC4-8D4B-4D1C-9C45-6E6F0F3F5D11", "0b8fbdc48d4b4d1c9c456e6f0f3f5d11", "0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range tt.yes {
				if !tt.valid(s) {
					t.Errorf("%q is refused", s)
				}
			}
			for _, s := range tt.no {
				if tt.valid(s) {
					t.Errorf("%q is taken", s)
				}
			}
		})
	}
}

func TestUUIDsAreRandomOnesOfVersion4(t *testing.T) {
	a, b := NewUUID(), NewUUID()
	if a == b || a[14] != '4' || !strings.ContainsRune("89ab", rune(a[19])) {
		t.Errorf("%s, %s", a, b)
	}
}

func TestVersions(t *testing.T) {
	for info, want := range map[string]Version{
		"# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:0\r\n": {7, 0},
		"redis_version:5.0.14\n":                                   {5, 0},
		"redis_version:6.2.6\n":                                    {6, 2},
		"redis_version:255.255.255\n":                              {255, 255},
		"":                                                         {7, 0},
		"redis_version:unstable\n":                                 {7, 0},
	} {
		if got := ParseVersion(info); got != want {
			t.Errorf("%q: %v, want %v", info, got, want)
		}
	}
}

// Redis refuses the whole of a user for one rule that it does not know.
func TestOlderServersGetRulesThatTheyKnow(t *testing.T) {
	for _, rules := range [][]string{ModuleRules("app1", Version{6, 0}), SharingModuleRules("app1", Version{6, 0}), NodeRules("1", Version{6, 0})} {
		for _, rule := range rules {
			if strings.HasPrefix(rule, "%") || strings.HasPrefix(rule, "&") || rule == "resetchannels" {
				t.Errorf("Redis 6.0 does not know %q", rule)
			}
			if rule == "+@write" {
				t.Error("what is to be read could be written")
			}
		}
	}
	if rules := ModuleRules("app1", Version{6, 2}); !slices.Contains(rules, "&module/app1/event/*") || slices.Contains(rules, "+@write") {
		t.Errorf("Redis 6.2 gets %q", rules)
	}
}

func TestOneRuleMoreSharesPasswords(t *testing.T) {
	for _, v := range []Version{{6, 0}, {6, 2}, {7, 0}} {
		own, sharing := ModuleRules("app1", v), SharingModuleRules("app1", v)
		isPassword := func(rule string) bool { return strings.Contains(rule, "restic_password") }
		if slices.ContainsFunc(own, isPassword) || !slices.Equal(own, slices.DeleteFunc(sharing, isPassword)) || len(sharing) == len(own) {
			t.Errorf("Redis %s: %q and %q", v, own, sharing)
		}
	}
}

func TestTheUsersThatACLListTells(t *testing.T) {
	list := List{
		"user default on nopass sanitize-payload ~* &* +@all",
		"user admin on #" + Digest("secret") + " ~* &* +@all",
		"user node/1 on #" + Digest("node") + " ~node/1/* -@all",
		"user module/app1 on #" + Digest("old") + " #" + Digest("new") + " ~module/app1/* -@all",
		"user admin/anna on #" + Digest("anna") + " -@all",
		"user modulex on nopass -@all",
		"nonsense",
	}
	if got := list.Principals(); !slices.Equal(got, list[2:5]) {
		t.Errorf("the gateway is told %q", got)
	}
	if !slices.Equal(list.Nodes(), []string{"1"}) || !slices.Equal(list.Modules(), []string{"app1"}) {
		t.Errorf("nodes %q, modules %q", list.Nodes(), list.Modules())
	}
	if !list.Accepts("module/app1", "new") || list.Accepts("module/app1", "node") || list.Accepts("module/app", "new") {
		t.Error("passwords are mixed up")
	}
	if !list.Open("default") || list.Open("admin") || list.Open("modulex") || list.Open("nobody") {
		t.Error("open users are mixed up")
	}
	if list.OfNS8() || !append(list, "user cluster on", "user api-server on").OfNS8() {
		t.Error("NethServer 8 is mixed up")
	}
}
