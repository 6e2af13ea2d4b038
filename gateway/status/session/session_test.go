package session

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// marks are those of one user.
func marks(user string, mark [sha256.Size]byte) func(string) ([sha256.Size]byte, bool) {
	return func(name string) ([sha256.Size]byte, bool) { return mark, name == user }
}

func TestSessionLastsUntilItEnds(t *testing.T) {
	t.Parallel()
	k, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	old, changed := sha256.Sum256([]byte("old")), sha256.Sum256([]byte("changed"))
	s, cookie := k.Begin("admin/anna", old, now)
	for _, tt := range []struct {
		name string
		read *Session
		want bool
	}{
		{"at once", k.Read(cookie, marks("admin/anna", old), now), true},
		{"a second before its end", k.Read(cookie, marks("admin/anna", old), now.Add(Lasts-time.Second)), true},
		{"at its end", k.Read(cookie, marks("admin/anna", old), now.Add(Lasts)), false},
		{"after the password was changed", k.Read(cookie, marks("admin/anna", changed), now), false},
		{"after the user was removed", k.Read(cookie, marks("admin/bob", old), now), false},
	} {
		if got := tt.read != nil; got != tt.want {
			t.Errorf("%s: it is one: %v", tt.name, got)
		}
	}
	k.End(s, now)
	if k.Read(cookie, marks("admin/anna", old), now) != nil {
		t.Error("it outlives the logout")
	}
}

func TestNobodyForgesASession(t *testing.T) {
	t.Parallel()
	k, _ := Open("")
	other, _ := Open("")
	mark := sha256.Sum256(nil)
	_, cookie := k.Begin("node/1", mark, now)
	_, foreign := other.Begin("node/1", mark, now)
	first, second, _ := strings.Cut(cookie, ".")
	_, bob := k.Begin("admin/bob", mark, now)
	content, _, _ := strings.Cut(bob, ".")
	for name, forged := range map[string]string{
		"nothing": "", "a dot": ".", "no signature": first + ".", "no content": "." + second, "another key": foreign,
		"another user": content + "." + second, "not base64": "!." + second, "a token": first + "." + k.Token("node/1"),
	} {
		if k.Read(forged, marks("node/1", mark), now) != nil {
			t.Errorf("%s is taken for a session", name)
		}
	}
}

func TestTokenIsOfOneSession(t *testing.T) {
	t.Parallel()
	k, _ := Open("")
	token := k.Token("one")
	if !k.Genuine("one", token) || k.Genuine("other", token) || k.Genuine("one", "") {
		t.Error("tokens do not tell sessions apart")
	}
}

func TestKeyOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	mark := sha256.Sum256(nil)
	_, cookie := k.Begin("node/1", mark, now)
	again, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.Read(cookie, marks("node/1", mark), now) == nil {
		t.Error("a restart ends the session")
	}
	if info, err := os.Stat(filepath.Join(dir, keyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	// A key that was cut is replaced, and never used.
	if err := os.WriteFile(filepath.Join(dir, keyFile), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if fresh, err := Open(dir); err != nil || len(fresh.key) != sha256.Size {
		t.Errorf("a key that was cut: %v", err)
	}
}

func TestGuesserWaits(t *testing.T) {
	t.Parallel()
	var a Attempts
	for range maxAttempts {
		if a.Wait("10.0.0.1", "admin/anna", now) != 0 {
			t.Fatal("it waits too early")
		}
		a.Failed("10.0.0.1", "admin/anna", now)
	}
	if wait := a.Wait("10.0.0.1", "admin/anna", now.Add(time.Minute)); wait != span-time.Minute {
		t.Errorf("the wait is %v", wait)
	}
	if a.Wait("10.0.0.2", "admin/anna", now) != 0 {
		t.Error("who calls from elsewhere is kept out")
	}
	if a.Wait("10.0.0.1", "admin/anna", now.Add(span)) != 0 {
		t.Error("the wait does not end")
	}
	for i := range maxFromAddress {
		a.Failed("10.0.0.3", "user"+string(rune('a'+i%26)), now)
	}
	if a.Wait("10.0.0.3", "admin/new", now) == 0 {
		t.Error("an address may try any number of users")
	}
}

func TestAttemptsAreForgotten(t *testing.T) {
	t.Parallel()
	var a Attempts
	for i := range maxTracked + 10 {
		a.Failed("address", string(rune('a'+i%26))+time.Duration(i).String(), now)
	}
	if len(a.tries) > maxTracked {
		t.Errorf("%d are remembered", len(a.tries))
	}
	a.Failed("10.0.0.1", "anna", now)
	a.Succeeded("10.0.0.1", "anna")
	if a.tries[[2]string{"10.0.0.1", "anna"}] != nil {
		t.Error("a login that succeeds does not clear what failed before")
	}
}
