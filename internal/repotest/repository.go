// Package repotest makes empty restic repositories whose key costs no time, for the tests:
// restic chooses its own so that deriving it takes a good part of a second, at each
// command. What "restic init" does is tested elsewhere.
package repotest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/scrypt"
)

// Repository is what restic wants of an empty repository.
type Repository struct {
	Config, Key []byte
	// KeyName is that of the file with the key.
	KeyName string
}

// polynomial cuts files into chunks. It is irreducible, as it must be.
const polynomial = "3da3358b4dc173"

// New makes a repository of version 1 or 2, with a master key of its own.
func New(tb testing.TB, version int, password string) *Repository {
	tb.Helper()
	var master MasterKey
	master.Encrypt, master.MAC.K, master.MAC.R = random(32), random(16), random(16)
	config := marshal(tb, map[string]any{
		"version": version, "id": hex.EncodeToString(random(sha256.Size)), "chunker_polynomial": polynomial,
	})
	r := &Repository{Config: master.Seal(tb, config), Key: newKey(tb, password, marshal(tb, master))}
	sum := sha256.Sum256(r.Key)
	r.KeyName = hex.EncodeToString(sum[:])
	return r
}

// Save writes the repository into a directory, as restic and the gateway have it on disk.
func (r *Repository) Save(tb testing.TB, dir string) {
	tb.Helper()
	for name, content := range map[string][]byte{"config": r.Config, "keys/" + r.KeyName: r.Key} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	for _, kind := range []string{"data", "index", "locks", "snapshots"} {
		if err := os.MkdirAll(filepath.Join(dir, kind), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
}

// newKey is the file of a key that the password opens.
func newKey(tb testing.TB, password string, master []byte) []byte {
	tb.Helper()
	const n, r, p = 1 << 10, 1, 1 // the least that restic takes
	salt := random(64)
	derived, err := scrypt.Key([]byte(password), salt, n, r, p, 64)
	if err != nil {
		tb.Fatal(err)
	}
	user := MasterKey{Encrypt: derived[:32]}
	user.MAC.K, user.MAC.R = derived[32:48], derived[48:]
	return marshal(tb, map[string]any{
		"created": time.Now(), "username": "root", "hostname": "host", "kdf": "scrypt", "N": n, "r": r, "p": p,
		"salt": salt, "data": user.Seal(tb, master),
	})
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func marshal(tb testing.TB, v any) []byte {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}
