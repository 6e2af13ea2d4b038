package sizes

import (
	"encoding/hex"
	"io/fs"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// maxKnown bounds the objects that are remembered per destination, at some 80 bytes each.
const maxKnown = 1 << 15

// table holds what is known. Nothing is learned from a look during which an object was
// deleted: its result may be older.
type table struct {
	mu     sync.Mutex
	taken  uint64 // counts beginnings and ends of deletions
	taking int    // deletions in progress
	dirs   map[dir]map[digest]entry
	count  int
	swept  time.Time
}

// dir is a directory of objects of one kind.
type dir struct {
	repo string
	kind kind
}

// entry is what is known about an object: when it was seen, and the storage's time of
// receipt, in Unix time; 0 if unknown.
type entry struct {
	size     int64
	seen     time.Time
	received int64
}

// absent is the size of an object that is known not to exist.
const absent = -1

// look is a request to the storage in progress.
type look struct {
	at    time.Time
	taken uint64
	sure  bool // no deletion was in progress
}

func newTable() *table { return &table{dirs: map[dir]map[digest]entry{}, swept: time.Now()} }

// now begins a look.
func (t *table) now() look {
	t.mu.Lock()
	defer t.mu.Unlock()
	return look{at: time.Now(), taken: t.taken, sure: t.taking == 0}
}

// learn stores the result of a look.
func (t *table) learn(since look, where place, size int64, received time.Time) {
	e := entry{size: size, seen: since.at}
	if !received.IsZero() {
		e.received = received.Unix()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !since.sure || since.taken != t.taken {
		return
	}
	d := dir{where.repo, where.kind}
	known, there := t.dirs[d][where.digest]
	if there && e.received == 0 && known.size == size {
		e.received = known.received
	}
	timed := where.kind == kindKeys || where.kind == kindSnapshots
	if timed && e.received == 0 || !t.room(there) {
		return
	}
	if t.dirs[d] == nil {
		t.dirs[d] = map[digest]entry{}
	}
	if !there {
		t.count++
	}
	t.dirs[d][where.digest] = e
}

// room makes room for another object, unless there is an entry for it, and reports whether
// there is room.
func (t *table) room(there bool) bool {
	if there || t.count < maxKnown {
		return true
	}
	now := time.Now()
	if now.Sub(t.swept) < MaxAge/10 {
		return false
	}
	t.swept = now
	t.count = 0
	for d, known := range t.dirs {
		for digest, e := range known {
			if now.Sub(e.seen) >= MaxAge {
				delete(known, digest)
			}
		}
		if t.count += len(known); len(known) == 0 {
			delete(t.dirs, d)
		}
	}
	return t.count < maxKnown
}

// has reports whether an object is known.
func (t *table) has(where place) bool {
	_, known := t.get(where)
	return known
}

// get describes a known object; nil means that it is known not to exist.
func (t *table) get(where place) (fs.FileInfo, bool) {
	t.mu.Lock()
	e, known := t.dirs[dir{where.repo, where.kind}][where.digest]
	t.mu.Unlock()
	if !known || time.Since(e.seen) >= MaxAge {
		return nil, false
	}
	if e.size == absent {
		return nil, true
	}
	var received time.Time
	if e.received != 0 {
		received = time.Unix(e.received, 0)
	}
	return storage.ObjectInfo(hex.EncodeToString(where.digest[:]), e.size, received), true
}

// forget drops an object.
func (t *table) forget(where place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(where)
}

func (t *table) drop(where place) {
	d := dir{where.repo, where.kind}
	if _, known := t.dirs[d][where.digest]; known {
		delete(t.dirs[d], where.digest)
		t.count--
	}
}

// begin drops objects that are about to be deleted.
func (t *table) begin(places []place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken++
	t.taking++
	for _, where := range places {
		t.drop(where)
	}
}

// end is called when they were deleted.
func (t *table) end(places []place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken++
	t.taking--
	for _, where := range places {
		t.drop(where)
	}
}

// clear drops everything.
func (t *table) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.dirs)
	t.count = 0
}
