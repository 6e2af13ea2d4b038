// Package resticpassword checks a password against a key file of a restic repository, as
// restic's design document describes the format.
package resticpassword

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/scrypt"
)

// keyFile holds the fields of a key file that are needed here.
type keyFile struct {
	KDF  string `json:"kdf"`
	N    int    `json:"N"`
	R    int    `json:"r"`
	P    int    `json:"p"`
	Salt []byte `json:"salt"`
	Data []byte `json:"data"`
}

// Sizes within the encrypted data, and of the derived keys: the first part encrypts, the
// rest authenticates.
const (
	ivSize, macSize = aes.BlockSize, 16
	keySize         = 64
	cipherKeySize   = 32
)

// mostMemory bounds the memory that a key file, which comes from a storage, can demand.
const mostMemory = 512 << 20

// errForeign says that a key file has an unknown format.
var errForeign = errors.New("this is not a key file that is understood")

// Opens reports whether the password opens the key.
//
// The master key is JSON: a wrong password decrypts it to noise. So there is no need for
// the authentication code, which protects against forged keys.
func Opens(key []byte, password string) (bool, error) {
	var k keyFile
	if err := json.Unmarshal(key, &k); err != nil || k.KDF != "scrypt" || len(k.Data) <= ivSize+macSize {
		return false, errForeign
	}
	if k.N <= 1 || k.R <= 0 || k.P <= 0 || k.P > 1<<10 || k.R > 1<<10 || k.N > mostMemory/128/k.R {
		return false, errForeign
	}
	derived, err := scrypt.Key([]byte(password), k.Salt, k.N, k.R, k.P, keySize)
	if err != nil {
		return false, fmt.Errorf("derive a key: %w", err)
	}
	block, err := aes.NewCipher(derived[:cipherKeySize])
	if err != nil {
		return false, err
	}
	plain := make([]byte, len(k.Data)-ivSize-macSize)
	cipher.NewCTR(block, k.Data[:ivSize]).XORKeyStream(plain, k.Data[ivSize:len(k.Data)-macSize])
	var master struct {
		Encrypt []byte          `json:"encrypt"`
		MAC     json.RawMessage `json:"mac"`
	}
	return json.Unmarshal(plain, &master) == nil && len(master.Encrypt) > 0 && len(master.MAC) > 0, nil
}
