package access

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestBasicCredentials(t *testing.T) {
	t.Parallel()
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		name, header string
		user, secret string
		ok           bool
	}{
		{"user and password", "Basic " + encode("module/mail2:secret"), "module/mail2", "secret", true},
		{"scheme in lower case", "basic " + encode("node/1:x"), "node/1", "x", true},
		{"scheme in upper case", "BASIC " + encode("node/1:x"), "node/1", "x", true},
		{"colons in the password", "Basic " + encode("node/1:a:b:c"), "node/1", "a:b:c", true},
		{"UTF-8 in the password", "Basic " + encode("node/1:pässwörd"), "node/1", "pässwörd", true},
		{"empty password", "Basic " + encode("node/1:"), "node/1", "", true},
		{"NUL in the password", "Basic " + encode("node/1:a\x00b"), "node/1", "a\x00b", true},
		{"no header", "", "", "", false},
		{"scheme alone", "Basic", "", "", false},
		{"scheme and space", "Basic ", "", "", false},
		{"empty user", "Basic " + encode(":secret"), "", "", false},
		{"no colon", "Basic " + encode("secret"), "", "", false},
		{"another scheme", "Bearer " + encode("node/1:x"), "", "", false},
		{"no base64", "Basic !!!", "", "", false},
		{"cut base64", "Basic " + encode("node/1:x")[:9], "", "", false},
		{"as large as is taken", "Basic " + encode("u:"+strings.Repeat("p", 4000)), "u", strings.Repeat("p", 4000), true},
		{"enormous", "Basic " + encode("u:"+strings.Repeat("p", 60000)), "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var buf [MaxCredentials]byte
			user, secret, ok := ParseBasic(c.header, buf[:])
			if ok != c.ok || ok && (string(user) != c.user || string(secret) != c.secret) {
				t.Errorf("got %.20q, %.20q, %v", user, secret, ok)
			}
		})
	}
}
