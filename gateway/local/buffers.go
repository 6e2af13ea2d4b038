//go:build unix

package local

import (
	"sync"
	"sync/atomic"
)

const (
	// bufferSize is the size beyond which larger buffers do not make uploads cheaper.
	bufferSize = 128 << 10
	// fewUploads is how many concurrent uploads get such buffers. Further ones get smaller
	// buffers, to save memory.
	fewUploads      = 16
	manyUploadsSize = 32 << 10
)

var (
	buffers      = sync.Pool{New: func() any { return new([bufferSize]byte) }}
	smallBuffers = sync.Pool{New: func() any { return new([manyUploadsSize]byte) }}
	// uploading counts the uploads with buffers of bufferSize.
	uploading atomic.Int32
)

// uploadBuffer returns a buffer for an upload, and a function that takes it back.
func uploadBuffer() (buf []byte, release func()) {
	if uploading.Add(1) > fewUploads {
		uploading.Add(-1)
		small := smallBuffers.Get().(*[manyUploadsSize]byte)
		return small[:], func() { smallBuffers.Put(small) }
	}
	large := buffers.Get().(*[bufferSize]byte)
	return large[:], func() {
		uploading.Add(-1)
		buffers.Put(large)
	}
}
