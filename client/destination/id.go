package destination

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // what RFC 9562 says for version 5
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
)

// namespaceURL is the UUID namespace for URLs (RFC 9562).
var namespaceURL = [16]byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}

// ID derives the ID of a destination from the request to add it, so that equal requests get
// equal IDs: a UUID of version 5, in the namespace of URLs, of the request as compact JSON
// with sorted keys and empty name and password.
func ID(request map[string]any) (string, error) {
	reduced := maps.Clone(request)
	reduced["name"], reduced["password"] = "", ""
	return stableUUID(reduced)
}

func stableUUID(value any) (string, error) {
	text, err := compactJSON(value)
	if err != nil {
		return "", err
	}
	hash := sha1.New() //nolint:gosec // as above
	hash.Write(namespaceURL[:])
	hash.Write(text)
	u := hash.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	s := hex.EncodeToString(u)
	return fmt.Sprintf("%s-%s-%s-%s-%s", s[:8], s[8:12], s[12:16], s[16:20], s[20:]), nil
}

// compactJSON formats JSON as Python does with ensure_ascii=False: it escapes only what
// must be escaped.
func compactJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("write the request as JSON: %w", err)
	}
	return unescapeSeparators(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// unescapeSeparators undoes Go's escaping of U+2028 and U+2029. It leaves an escaped
// backslash before a u alone.
func unescapeSeparators(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch {
		case bytes.HasPrefix(rest, []byte(`\u2028`)):
			out = append(out, "\u2028"...)
			i += 5
		case bytes.HasPrefix(rest, []byte(`\u2029`)):
			out = append(out, "\u2029"...)
			i += 5
		case rest[0] == '\\' && len(rest) > 1:
			out = append(out, rest[:2]...)
			i++
		default:
			out = append(out, rest[0])
		}
	}
	return out
}
