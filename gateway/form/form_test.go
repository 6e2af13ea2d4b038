package form_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/form"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// bytesOf returns n bytes as JSON has them.
func bytesOf(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }

// keyWith returns a key as restic 0.18 writes it, with other fields.
func keyWith(t *testing.T, fields map[string]any) []byte {
	t.Helper()
	key := map[string]any{
		"created": "2026-11-29T20:00:00.123456789+01:00", "username": "root", "hostname": "node1",
		"kdf": "scrypt", "N": 32768, "r": 8, "p": 5, "salt": bytesOf(64), "data": bytesOf(170),
	}
	maps.Copy(key, fields)
	content, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestKeysThatAreTaken(t *testing.T) {
	t.Parallel()
	for about, fields := range map[string]map[string]any{
		"restic's":                                    nil,
		"one of rustic, without a date":               {"created": nil, "hostname": ""},
		"one of a fast machine":                       {"p": 40},
		"one of a slow machine":                       {"p": 1},
		"one of a busy machine":                       {"N": 512, "p": 6},
		"one of a machine that stood":                 {"N": 2, "p": 1},
		"one of a machine that was busy for a moment": {"N": 512, "p": 900},
		"a larger N":                                  {"N": 1 << 18, "p": 1},
		"fields of later versions":                    {"comment": "x"},
	} {
		if err := form.Key(keyWith(t, fields)); err != nil {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func TestKeysThatStopRestic(t *testing.T) {
	t.Parallel()
	contents := map[string][]byte{
		"nothing":           nil,
		"no JSON":           []byte("garbage"),
		"a list":            []byte("[]"),
		"null":              []byte("null"),
		"an empty object":   []byte("{}"),
		"two keys":          append(keyWith(t, nil), keyWith(t, nil)...),
		"half a key":        keyWith(t, nil)[:100],
		"a second N":        []byte(strings.Replace(string(keyWith(t, nil)), `"N":32768`, `"N":32768,"N":3`, 1)),
		"an n in lowercase": []byte(strings.Replace(string(keyWith(t, nil)), `"N":32768`, `"N":32768,"n":1073741824`, 1)),
	}
	for about, fields := range map[string]map[string]any{
		"another function":          {"kdf": "argon2"},
		"no function":               {"kdf": nil},
		"N of 0":                    {"N": 0},
		"N of 1":                    {"N": 1},
		"N that is no power of two": {"N": 32769},
		"a negative N":              {"N": -32768},
		"N of 128 GiB":              {"N": 1 << 27},
		"N beyond 64 bits":          {"N": json.Number("340282366920938463463374607431768211456")},
		"r of 0":                    {"r": 0},
		"a negative r":              {"r": -8},
		"r of 2^20":                 {"r": 1 << 20},
		"p of 0":                    {"p": 0},
		"p of 2^30":                 {"p": 1 << 30},
		"N and r of 512 MiB":        {"N": 1 << 19, "r": 8, "p": 1},
		"a minute of work":          {"p": 250},
		"N as text":                 {"N": "32768"},
		"N that is no whole number": {"N": 32768.5},
		"no salt":                   {"salt": nil},
		"a short salt":              {"salt": bytesOf(63)},
		"a long salt":               {"salt": bytesOf(65)},
		"a salt that is not base64": {"salt": "!!"},
		"no data":                   {"data": nil},
		"data shorter than a nonce": {"data": bytesOf(15)},
		"data shorter than a seal":  {"data": bytesOf(31)},
		"data without a key":        {"data": bytesOf(40)},
		"a megabyte of data":        {"data": bytesOf(1 << 20)},
		"data that is not base64":   {"data": "====="},
		"no date":                   {"created": "yesterday"},
		"a user that is a number":   {"username": 1},
	} {
		contents[about] = keyWith(t, fields)
	}
	for about, content := range contents {
		if err := form.Key(content); !errors.Is(err, refusal.ErrForm) || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %v, want ErrForm", about, err)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ   string
		size  int64
		taken bool
	}{
		{"data", 0, true}, {"data", 1 << 40, true}, {"root", 0, true},
		{"index", 0, false}, {"index", 31, false}, {"index", 33, false}, {"index", 34, true}, {"index", 8 << 20, true}, {"index", 1 << 30, false},
		{"snapshots", 1, false}, {"snapshots", 32, false}, {"snapshots", 34, true}, {"snapshots", 16 << 20, true}, {"snapshots", 1 << 30, false},
		{"locks", 16, false}, {"locks", 34, true}, {"locks", 4 << 10, true}, {"locks", 1 << 20, false},
		{"config", 0, false}, {"config", 32, false}, {"config", 34, true}, {"config", 155, true}, {"config", 2 << 20, false},
		{"keys", 0, false}, {"keys", 450, true}, {"keys", form.MaxKey, true}, {"keys", form.MaxKey + 1, false},
	} {
		if err := form.Size(tt.typ, tt.size); (err == nil) != tt.taken || err != nil && !errors.Is(err, refusal.ErrForm) {
			t.Errorf("%s of %d bytes: %v, want taken: %v", tt.typ, tt.size, err, tt.taken)
		}
	}
}

// FuzzKey looks for a key that is taken and that scrypt cannot compute.
func FuzzKey(f *testing.F) {
	f.Add([]byte(`{"kdf":"scrypt","N":32768,"r":8,"p":5}`))
	f.Add([]byte(`{"kdf":"scrypt","N":9223372036854775807,"r":9223372036854775807,"p":-1}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if form.Key(content) != nil {
			return
		}
		var k struct {
			N, R, P    int
			Salt, Data []byte
		}
		if err := json.Unmarshal(content, &k); err != nil {
			t.Fatal(err)
		}
		if k.N < 2 || k.N&(k.N-1) != 0 || k.R < 1 || k.P < 1 || len(k.Salt) != 64 || len(k.Data) < 33 || 128*int64(k.N)*int64(k.R) > 1<<28 {
			t.Errorf("taken: %s", content)
		}
	})
}
