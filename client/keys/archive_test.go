package keys

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sampleKeys() []savedKey {
	return []savedKey{
		{Name: "module/mymodule1/plain", Value: []byte("\x00\x05value")},
		{Name: "module/mymodule1/with \"quotes\"\nand lines", Value: []byte("{\"keys\":3}\n"), TTL: 90 * time.Second},
		{Name: "module/mymodule1/\xff\xfe", Value: []byte{}, TTL: time.Millisecond},
	}
}

func archiveOf(tb testing.TB, keys []savedKey) []byte {
	tb.Helper()
	var b bytes.Buffer
	a, err := newArchiveWriter(&b)
	if err != nil {
		tb.Fatal(err)
	}
	for _, k := range keys {
		if err := a.add(k); err != nil {
			tb.Fatal(err)
		}
	}
	if err := a.close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestArchiveReturnsWhatWasWritten(t *testing.T) {
	for _, keys := range [][]savedKey{nil, sampleKeys()[:1], sampleKeys()} {
		data := archiveOf(t, keys)
		if !isArchive(data) {
			t.Fatalf("an archive of %d keys is not recognised", len(keys))
		}
		got, err := parseArchive(data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, keys) {
			t.Errorf("got %#v, want %#v", got, keys)
		}
	}
}

func TestArchiveTruncatedAnywhereIsRefused(t *testing.T) {
	data := archiveOf(t, sampleKeys())
	for n := 1; n < len(data); n++ {
		if !isArchive(data[:n]) {
			t.Fatalf("the first %d bytes are not recognised as an archive", n)
		}
		if _, err := parseArchive(data[:n]); !errors.Is(err, errDamagedArchive) {
			t.Fatalf("the first %d of %d bytes: error %v", n, len(data), err)
		}
	}
}

func TestArchiveWithAFlippedBitIsRefused(t *testing.T) {
	data := archiveOf(t, sampleKeys())
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		if keys, err := parseArchive(bad); err == nil {
			t.Fatalf("byte %d of %d: accepted as %v", i, len(data), keys)
		}
	}
}

func TestArchiveErrorsSayWhatIsWrong(t *testing.T) {
	whole := string(archiveOf(t, sampleKeys()[:1]))
	for _, c := range []struct{ name, data, want string }{
		{"bytes after the end", whole + "x", "1 bytes after its end"},
		{"a missing key", archiveHeader + `{"keys":1,"sha256":""}` + "\n", "holds 0 keys and claims 1"},
		{"a negative size", archiveHeader + `{"key":"k","size":-1}` + "\nx\n", "whole value"},
		{"a huge size", archiveHeader + `{"key":"k","size":9223372036854775807}` + "\nx\n", "whole value"},
		{"a time to live beyond all clocks", archiveHeader + `{"key":"k","ttl_ms":9223372036855,"size":1}` + "\nx\n", "time to live"},
		{"a line of a wrong type", archiveHeader + `["k"]` + "\nx\n", "not readable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseArchive([]byte(c.data))
			if !errors.Is(err, errDamagedArchive) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func FuzzParseArchive(f *testing.F) {
	f.Add(archiveOf(f, sampleKeys()))
	f.Add([]byte(archiveHeader))
	f.Add([]byte(archiveHeader + `{"keys":0,"sha256":""}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parseArchive(data)
		if err != nil {
			return
		}
		again, err := parseArchive(archiveOf(t, keys))
		if err != nil || len(again) != len(keys) {
			t.Fatalf("a second round gives %d keys of %d, error %v", len(again), len(keys), err)
		}
	})
}
