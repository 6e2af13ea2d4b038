package rest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

const sumOfTest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" // of "test"

func hashName(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// readSizes reads r with buffers of the given sizes, in turn, and returns what
// came before the first error.
func readSizes(r io.Reader, sizes ...int) (got []byte, err error) {
	for i := 0; err == nil; i++ {
		buf := make([]byte, sizes[i%len(sizes)])
		var n int
		n, err = r.Read(buf)
		got = append(got, buf[:n]...)
	}
	return got, err
}

func TestVerifierPassesRightContentInEverySplit(t *testing.T) {
	content := []byte("every way to cut it")
	for size := range 9 {
		content := content[:size]
		for first := 1; first <= size+1; first++ {
			for second := 1; second <= size+1; second++ {
				v := newVerifier(bytes.NewReader(content), int64(size), hashName(content))
				got, err := readSizes(v, first, second)
				if !errors.Is(err, io.EOF) || !bytes.Equal(got, content) || v.failed() != nil || !v.complete() {
					t.Fatalf("%d bytes in reads of %d and %d: %q, %v", size, first, second, got, err)
				}
			}
		}
	}
}

func TestVerifierHoldsBackTheLastByteOfWrongContent(t *testing.T) {
	content := []byte("not what it is called")
	for size := 1; size <= len(content); size++ {
		for read := 1; read <= size+1; read++ {
			v := newVerifier(bytes.NewReader(content[:size]), int64(size), sumOfTest)
			got, err := readSizes(v, read)
			if !errors.Is(err, storage.ErrCorrupt) || !bytes.Equal(got, content[:size-1]) {
				t.Fatalf("%d bytes in reads of %d: %q, %v", size, read, got, err)
			}
			if _, again := v.Read(make([]byte, 1)); again != err || v.complete() || v.failed() != err {
				t.Fatalf("after %v: %v", err, again)
			}
		}
	}
}

func TestVerifierOfAnEmptyUpload(t *testing.T) {
	if v := newVerifier(strings.NewReader(""), 0, hashName(nil)); v.failed() != nil || !v.complete() {
		t.Errorf("nothing, under its right name: %v", v.failed())
	}
	if v := newVerifier(strings.NewReader(""), 0, sumOfTest); !errors.Is(v.failed(), storage.ErrCorrupt) {
		t.Errorf("nothing, under another name: %v; want storage.ErrCorrupt before the first Read", v.failed())
	}
}

func TestVerifierTakesEveryKindOfReader(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 1000)
	for about, wrap := range map[string]func(io.Reader) io.Reader{
		"one byte a time":         iotest.OneByteReader,
		"half of what was wanted": iotest.HalfReader,
		"io.EOF with the data":    iotest.DataErrReader,
	} {
		v := newVerifier(wrap(bytes.NewReader(content)), int64(len(content)), hashName(content))
		if err := iotest.TestReader(v, content); err != nil {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func TestVerifierOfABrokenUpload(t *testing.T) {
	cause := errors.New("connection reset")
	sent := []byte("tes") // at most
	for about, src := range map[string]io.Reader{
		"ends early":          strings.NewReader("tes"),
		"ends early, at once": strings.NewReader(""),
		"breaks":              io.MultiReader(strings.NewReader("te"), iotest.ErrReader(cause)),
	} {
		v := newVerifier(src, 4, sumOfTest)
		got, err := io.ReadAll(v)
		if !errors.Is(err, storage.ErrShort) || !bytes.HasPrefix(sent, got) || v.failed() != err || v.complete() {
			t.Errorf("%s: %q, %v", about, got, err)
		}
		if want := about == "breaks"; errors.Is(err, cause) != want {
			t.Errorf("%s: wraps the cause: %v, want %v", about, !want, want)
		}
	}
}

func TestVerifierStopsAtTheAnnouncedLength(t *testing.T) {
	v := newVerifier(strings.NewReader("testing"), 4, sumOfTest)
	if got, err := io.ReadAll(v); err != nil || string(got) != "test" {
		t.Errorf("read %q, %v", got, err)
	}
}
