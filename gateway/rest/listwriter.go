package rest

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The media types of a list in the protocol's two versions. restic compares the
// second byte by byte and takes any other for the first.
const (
	MediaTypeV1 = "application/vnd.x.restic.rest.v1"
	MediaTypeV2 = "application/vnd.x.restic.rest.v2"
)

const (
	// listChunk is how much of a list is collected before it is sent, some 170
	// entries. A list that fits into it is sent whole, with its length.
	listChunk = 16 << 10
	// listEntry bounds what one entry takes.
	listEntry = 128
	// listPatience is how long a list may say nothing: then its header is sent,
	// and after that white space, since restic gives up on a server that is
	// silent for five minutes, and listing a slow remote can take longer than
	// that. A failure before is still answered with its status.
	listPatience = 10 * time.Second
)

// listLevel makes gzip use Huffman codes alone. Digests have no repetitions
// worth a search: this halves them in a fifth of the time that BestSpeed takes
// to save another tenth.
const listLevel = gzip.HuffmanOnly

var (
	listBuffers = sync.Pool{New: func() any { return new([listChunk + listEntry]byte) }}
	gzipWriters = sync.Pool{New: func() any {
		z, err := gzip.NewWriterLevel(nil, listLevel)
		if err != nil {
			panic(err) // the level is a constant
		}
		return z
	}}
)

// listWriter writes the JSON of one list in constant memory. What it has begun
// it closes only in finish, so that a list which broke off is never well-formed.
type listWriter struct {
	w       http.ResponseWriter
	v2      bool
	zipping bool // whether a long list is compressed

	// mu guards what follows: the timer that breaks a silence runs beside the
	// listing.
	mu       sync.Mutex
	array    *[listChunk + listEntry]byte
	buf      []byte // of array; not sent yet
	comma    bool
	out      io.Writer // nil until the header is sent
	zip      *gzip.Writer
	err      error // of the first write that failed
	silence  *time.Timer
	finished bool
}

func newListWriter(w http.ResponseWriter, request http.Header) *listWriter {
	array := listBuffers.Get().(*[listChunk + listEntry]byte)
	l := &listWriter{
		w:       w,
		v2:      accepts(request["Accept"], MediaTypeV2),
		zipping: accepts(request["Accept-Encoding"], "gzip"),
		array:   array,
		buf:     append(array[:0], '['),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silence = time.AfterFunc(listPatience, l.breakSilence)
	return l
}

// add appends one object to the list. The name is in no need of escaping.
func (l *listWriter) add(name string, size int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.comma {
		l.buf = append(l.buf, ',')
	}
	l.comma = true
	if l.v2 {
		l.buf = append(l.buf, `{"name":"`...)
		l.buf = append(l.buf, name...)
		l.buf = append(l.buf, `","size":`...)
		l.buf = strconv.AppendInt(l.buf, size, 10)
		l.buf = append(l.buf, '}')
	} else {
		l.buf = append(l.buf, '"')
		l.buf = append(l.buf, name...)
		l.buf = append(l.buf, '"')
	}
	if len(l.buf) >= listChunk {
		l.begin()
		l.send()
	}
	return l.err
}

// finish closes a complete list.
func (l *listWriter) finish() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished = true
	l.buf = append(l.buf, ']')
	if l.out == nil {
		l.zipping = false
		l.w.Header().Set("Content-Length", strconv.Itoa(len(l.buf)))
		l.begin()
	}
	l.send()
	if l.zip != nil && l.err == nil {
		l.err = l.zip.Close()
	}
	return l.err
}

// stop ends all writing.
func (l *listWriter) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished = true
	l.silence.Stop()
}

// release gives the buffers back.
func (l *listWriter) release() {
	l.stop()
	listBuffers.Put(l.array)
	if l.zip != nil {
		l.zip.Reset(nil)
		gzipWriters.Put(l.zip)
	}
}

// breakSilence sends what there is, and a line break, which JSON allows between
// any two of its tokens.
func (l *listWriter) breakSilence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.finished || l.err != nil {
		return
	}
	l.buf = append(l.buf, '\n')
	l.begin()
	l.send()
	if l.zip != nil && l.err == nil {
		l.err = l.zip.Flush()
	}
	if l.err == nil {
		l.err = http.NewResponseController(l.w).Flush()
	}
	l.silence.Reset(listPatience)
}

// begin sends the header, once.
func (l *listWriter) begin() {
	if l.out != nil {
		return
	}
	header := l.w.Header()
	header.Set("Content-Type", MediaTypeV1)
	if l.v2 {
		header.Set("Content-Type", MediaTypeV2)
	}
	header.Set("Vary", "Accept, Accept-Encoding")
	l.out = l.w
	if l.zipping {
		header.Set("Content-Encoding", "gzip")
		l.zip = gzipWriters.Get().(*gzip.Writer)
		l.zip.Reset(l.w)
		l.out = l.zip
	}
	l.w.WriteHeader(http.StatusOK)
}

// send writes out what is in the buffer.
func (l *listWriter) send() {
	if l.err == nil {
		_, l.err = l.out.Write(l.buf)
	}
	l.buf = l.buf[:0]
}

// accepts reports whether a header of type Accept or Accept-Encoding names want
// itself, and does not refuse it.
func accepts(lines []string, want string) bool {
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(name), want) {
				return !refused(params)
			}
		}
	}
	return false
}

// refused reports whether the parameters of such an item hold the weight zero.
func refused(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		key, value, ok := strings.Cut(strings.TrimSpace(param), "=")
		if ok && strings.EqualFold(key, "q") {
			weight, err := strconv.ParseFloat(value, 64)
			return err == nil && weight == 0
		}
	}
	return false
}
