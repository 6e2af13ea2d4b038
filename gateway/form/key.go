package form

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// key is a file below keys/. Its fields are decoded exactly as in restic, so that a
// repeated name, or one in other case, means the same here as there.
type key struct {
	Created  time.Time `json:"created"`
	Username string    `json:"username"`
	Hostname string    `json:"hostname"`
	KDF      string    `json:"kdf"`
	N        int       `json:"N"`
	R        int       `json:"r"`
	P        int       `json:"p"`
	Salt     []byte    `json:"salt"`
	Data     []byte    `json:"data"`
}

// Bounds of a key. Restic measures the machine for half a second, and on most chooses N =
// 2^15, r = 8 and p below 20: 32 MiB. On a busy machine N is halved until it fits, and p
// may be large: every result of restic's scrypt package is accepted.
const (
	minN, maxN = 2, 1 << 20
	maxR       = 64
	maxP       = 1 << 13 // 128·r·p bytes are memory too
	// maxMemory bounds 128·N·r, the memory that each command on the repository needs.
	maxMemory = 256 << 20
	// maxWork bounds N·r·p, the time: 64 rounds with restic's N and r.
	maxWork = 1 << 24
	// saltSize is the size that restic demands.
	saltSize = 64
	// Data is the encrypted JSON of three keys; restic's has some 170 bytes.
	minData, maxData = sealing + 64, 4 << 10
)

// Key returns an error that wraps [refusal.ErrForm] unless content is a key in restic's
// form.
func Key(content []byte) error {
	var k key
	if err := json.Unmarshal(content, &k); err != nil {
		return fmt.Errorf("%w: a key that is no JSON of restic's: %s", refusal.ErrForm, err.Error())
	}
	if k.KDF != "scrypt" {
		return fmt.Errorf("%w: a key with the key derivation function %.20q", refusal.ErrForm, k.KDF)
	}
	if !k.computable() {
		return fmt.Errorf("%w: a key with the scrypt parameters N=%d, r=%d, p=%d", refusal.ErrForm, k.N, k.R, k.P)
	}
	if len(k.Salt) != saltSize {
		return fmt.Errorf("%w: a key with a salt of %d bytes", refusal.ErrForm, len(k.Salt))
	}
	if len(k.Data) < minData || len(k.Data) > maxData {
		return fmt.Errorf("%w: a key with data of %d bytes", refusal.ErrForm, len(k.Data))
	}
	return nil
}

// computable reports whether the parameters are valid for scrypt, and small enough for
// every machine that runs restic.
func (k *key) computable() bool {
	if k.N < minN || k.N > maxN || bits.OnesCount(uint(k.N)) != 1 || k.R < 1 || k.R > maxR || k.P < 1 || k.P > maxP {
		return false
	}
	size := int64(k.N) * int64(k.R)
	return 128*size <= maxMemory && size*int64(k.P) <= maxWork
}
