//go:build unix

package local

import (
	"sync"
	"sync/atomic"
)

const (
	// bufferSize is where larger buffers stopped to make uploads cheaper.
	bufferSize = 128 << 10
	// fewUploads is how many uploads at once have such buffers; those beside them have
	// smaller ones, so that many uploads take less memory.
	fewUploads      = 16
	manyUploadsSize = 32 << 10
)

var (
	buffers      = sync.Pool{New: func() any { return new([bufferSize]byte) }}
	smallBuffers = sync.Pool{New: func() any { return new([manyUploadsSize]byte) }}
	// uploading is how many uploads have buffers of bufferSize.
	uploading atomic.Int32
)

// uploadBuffer returns a buffer for an upload, and what takes it back.
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
