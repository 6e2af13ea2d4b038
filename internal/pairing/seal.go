package pairing

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
)

// ErrForeign says that something was not sealed with that code.
var ErrForeign = errors.New("the answer was not sealed with this pairing code")

// Seal encrypts what only who has the code may read, and change.
func (c Code) Seal(plain []byte) []byte { return c.cipher().Seal(nil, nil, plain, nil) }

// Open decrypts what was sealed.
func (c Code) Open(sealed []byte) ([]byte, error) {
	plain, err := c.cipher().Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, ErrForeign
	}
	return plain, nil
}

func (c Code) cipher() cipher.AEAD {
	block, err := aes.NewCipher(c.derive("key"))
	if err != nil {
		panic(err) // it fails for keys of other lengths alone
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // it fails for other ciphers alone
	}
	return aead
}
