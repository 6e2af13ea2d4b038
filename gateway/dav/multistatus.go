package dav

import (
	"io/fs"
	"net/http"
	"path"
	"sync"
	"time"
)

const (
	// chunk is how much of a multistatus is buffered before it is sent.
	chunk = 16 << 10
	// patience is the longest silence of a multistatus that has begun. Then white space is
	// sent, since clients give up after some ten seconds without data, and listing a slow
	// storage can take longer.
	patience = 4 * time.Second
)

const (
	multistatusHead = `<?xml version="1.0" encoding="utf-8"?>` + "\n" + `<D:multistatus xmlns:D="DAV:">` + "\n"
	multistatusTail = "</D:multistatus>\n"
)

var chunks = sync.Pool{New: func() any {
	b := make([]byte, 0, 2*chunk)
	return &b
}}

// multistatus writes the response to a PROPFIND in constant memory. Only finish closes the
// XML, so that an interrupted listing is never well-formed.
type multistatus struct {
	w     http.ResponseWriter
	query query
	base  string // path of the requested resource, with a slash if it is a collection
	head  []byte // of each response: up to the path of its parent

	// mu guards the following fields: the timer that breaks a silence runs concurrently
	// with the listing.
	mu       sync.Mutex
	pooled   *[]byte
	buf      []byte
	begun    bool // the header was sent
	err      error
	silence  *time.Timer
	finished bool
}

func newMultistatus(w http.ResponseWriter, q query, base string) *multistatus {
	pooled := chunks.Get().(*[]byte)
	return &multistatus{
		w: w, query: q, base: base, head: appendPath([]byte("<D:response><D:href>"), base),
		pooled: pooled, buf: append((*pooled)[:0], multistatusHead...),
	}
}

// add appends a resource: the requested one if name is ".", otherwise one in it.
func (m *multistatus) add(name string, info fs.FileInfo) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silence == nil {
		// From here on the response cannot be empty.
		m.silence = time.AfterFunc(patience, m.breakSilence)
	}
	m.response(name, info)
	if len(m.buf) >= chunk {
		m.send()
	}
	return m.err
}

func (m *multistatus) response(name string, info fs.FileInfo) {
	b := m.buf
	b = append(b, m.head...)
	if name == "." {
		name = path.Base(m.base)
	} else {
		b = appendPath(b, name)
		if info.IsDir() {
			b = append(b, '/')
		}
	}
	b = append(b, "</D:href>"...)
	b = m.found(b, name, info)
	b = m.missing(b, info)
	b = append(b, "</D:response>\n"...)
	m.buf = b
}

// found appends the properties that the resource has.
func (m *multistatus) found(b []byte, name string, info fs.FileInfo) []byte {
	b = append(b, "<D:propstat><D:prop>"...)
	for p := range numProperties {
		if (m.query.known[p] || m.query.namesOnly) && has(p, info) {
			b = appendProperty(b, p, name, info, m.query.namesOnly)
		}
	}
	return append(b, "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"...)
}

// missing appends the requested properties that the resource lacks.
func (m *multistatus) missing(b []byte, info fs.FileInfo) []byte {
	if m.query.all || m.query.namesOnly {
		return b
	}
	before := len(b)
	b = append(b, "<D:propstat><D:prop>"...)
	empty := len(b)
	for p := range numProperties {
		if m.query.known[p] && !has(p, info) {
			b = appendProperty(b, p, "", info, true)
		}
	}
	b = append(b, m.query.unknown...)
	if len(b) == empty {
		return b[:before]
	}
	return append(b, "</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>"...)
}

// finish completes the response.
func (m *multistatus) finish() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finished = true
	m.buf = append(m.buf, multistatusTail...)
	m.send()
	return m.err
}

// release returns the buffer to its pool.
func (m *multistatus) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finished = true
	if m.silence != nil {
		m.silence.Stop()
	}
	*m.pooled = m.buf[:0]
	if cap(m.buf) <= 4*chunk {
		chunks.Put(m.pooled)
	}
}

// send sends the buffer, after the header.
func (m *multistatus) send() {
	if !m.begun {
		m.begun = true
		header := m.w.Header()
		header.Set("Content-Type", "application/xml; charset=utf-8")
		header.Set("Cache-Control", "no-cache")
		m.w.WriteHeader(http.StatusMultiStatus)
	}
	if m.err == nil {
		_, m.err = m.w.Write(m.buf)
	}
	m.buf = m.buf[:0]
}

// breakSilence sends the buffer and a line break, which XML allows between responses.
func (m *multistatus) breakSilence() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.finished || m.err != nil {
		return
	}
	m.buf = append(m.buf, '\n')
	m.send()
	if m.err == nil {
		m.err = http.NewResponseController(m.w).Flush()
	}
	m.silence.Reset(patience)
}
