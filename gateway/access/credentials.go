package access

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// MaxCredentials bounds user and password together, in bytes. Redis passwords of NethServer
// 8 have 36 characters.
const MaxCredentials = 4096

// ParseBasic decodes an Authorization header into buf, which user and secret then share. It
// reports false unless it is Basic with a user and a colon, and fits. The scheme's name is
// case-insensitive (RFC 9110); a password may contain colons.
func ParseBasic(header string, buf []byte) (user, secret []byte, ok bool) {
	const scheme = "basic "
	if len(header) < len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return nil, nil, false
	}
	encoded := strings.TrimLeft(header[len(scheme):], " ")
	if base64.StdEncoding.DecodedLen(len(encoded)) > len(buf) {
		return nil, nil, false
	}
	n, err := base64.StdEncoding.Decode(buf, []byte(encoded))
	if err != nil {
		return nil, nil, false
	}
	user, secret, ok = bytes.Cut(buf[:n], []byte{':'})
	return user, secret, ok && len(user) > 0
}
