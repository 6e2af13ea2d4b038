//go:build unix

package local

import "testing"

func TestManyUploadsHaveSmallerBuffersThanFew(t *testing.T) { // not beside tests that upload
	var releases []func()
	take := func(want int) {
		t.Helper()
		buf, release := uploadBuffer()
		releases = append(releases, release)
		if len(buf) != want {
			t.Errorf("upload %d has a buffer of %d bytes, want %d", len(releases), len(buf), want)
		}
	}
	for range fewUploads {
		take(bufferSize)
	}
	take(manyUploadsSize)
	releases[0]()
	take(bufferSize)
	take(manyUploadsSize)
	for _, release := range releases[1:] {
		release()
	}
	take(bufferSize)
	releases[len(releases)-1]()
}
