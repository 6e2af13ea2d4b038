package repotest

import (
	"crypto/aes"
	"crypto/cipher"
	"slices"
	"testing"

	"golang.org/x/crypto/poly1305" //nolint:staticcheck // it is what restic seals with
)

// MasterKey is what restic seals the files of a repository with, in the form of "restic
// cat masterkey".
type MasterKey struct {
	MAC struct {
		K []byte `json:"k"`
		R []byte `json:"r"`
	} `json:"mac"`
	Encrypt []byte `json:"encrypt"`
}

// Seal encrypts a file as restic does.
func (k *MasterKey) Seal(tb testing.TB, content []byte) []byte {
	tb.Helper()
	nonce := random(aes.BlockSize)
	block, err := aes.NewCipher(k.Encrypt)
	if err != nil {
		tb.Fatal(err)
	}
	sealed := slices.Clone(content)
	cipher.NewCTR(block, nonce).XORKeyStream(sealed, sealed)
	pad, err := aes.NewCipher(k.MAC.K)
	if err != nil {
		tb.Fatal(err)
	}
	var key [32]byte
	var mac [poly1305.TagSize]byte
	copy(key[:16], k.MAC.R)
	pad.Encrypt(key[16:], nonce)
	poly1305.Sum(&mac, sealed, &key)
	return slices.Concat(nonce, sealed, mac[:])
}
