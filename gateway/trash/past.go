package trash

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// Past is a repository as it stood at the end of a second: what had been received by then
// and not been deleted by then. Keys that came later are there too, so that it opens with
// the password of now. It reads, and changes nothing. Times are those of the
// storage, and for deletions those of the gateway. It is safe for concurrent use.
type Past struct {
	s    *Store
	repo string
	at   time.Time

	reading chan struct{} // holds one token: one at a time reads the record

	mu     sync.Mutex
	record *record
	marks  map[string]time.Time // see facts
	listed map[string]digests   // by kind, what the last list found where it always lies
	looked time.Time            // when it was last looked for what vanished
}

// facts are what says of an object that lies where it always does whether it was there
// then.
type facts struct {
	receipts map[ledger.Key]time.Time
	// marks are those under which packs lay at that time already: when each was made.
	marks map[string]time.Time
}

// record is what the trash and the notes say, read at one time.
type record struct {
	facts

	began time.Time // when the reading did
	// deleted is what was there then and was deleted since, where it was moved.
	deleted map[ledger.Key]kept
}

// kept is an object in the trash: its name there, and when it was received.
type kept struct {
	at       string
	received time.Time
	size     int64
}

// digests is a set of names.
type digests map[[32]byte]struct{}

func (d digests) add(name string) {
	var sum [32]byte
	if n, err := hex.Decode(sum[:], []byte(name)); err == nil && n == len(sum) {
		d[sum] = struct{}{}
	}
}

func (d digests) has(name string) bool {
	var sum [32]byte
	n, err := hex.Decode(sum[:], []byte(name))
	if err != nil || n != len(sum) {
		return false
	}
	_, there := d[sum]
	return there
}

// lookEvery is how often a Past in use looks for what vanished outside of the trash.
const lookEvery = time.Minute

// newPast returns a repository as it stood then.
func newPast(s *Store, repo string, at time.Time) *Past {
	return &Past{s: s, repo: repo, at: at.Truncate(time.Second), reading: make(chan struct{}, 1), listed: map[string]digests{}}
}

// wasThere reports whether something was there then that was received and, unless that is
// zero, deleted at these times.
func (p *Past) wasThere(received, deleted time.Time) bool {
	return !later(received, p.at) && (deleted.IsZero() || later(deleted, p.at))
}

// errNoReceipts says that a storage keeps no times.
func errNoReceipts(repo string) error {
	return fmt.Errorf("%s as it was: the storage does not say when it received objects: %w", repo, errors.ErrUnsupported)
}

// known returns a record whose reading began at that time or later.
func (p *Past) known(ctx context.Context, since time.Time) (*record, error) {
	select {
	case p.reading <- struct{}{}:
		defer func() { <-p.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	now, looked := p.record, p.looked
	p.mu.Unlock()
	if now != nil && !now.began.Before(since) {
		return now, nil
	}
	began := time.Now()
	if began.Sub(looked) >= lookEvery {
		if err := p.s.Look(ctx, p.repo); err != nil {
			return nil, err
		}
		looked = began
	}
	now, err := p.read(ctx, began)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.record, p.looked = now, looked
	return now, nil
}

// read reads the trash and then, so that nothing is missing which was purged meanwhile,
// the notes.
func (p *Past) read(ctx context.Context, began time.Time) (*record, error) {
	r := &record{began: began, deleted: map[ledger.Key]kept{}}
	err := p.s.ledger.EachKept(ctx, p.repo, func(e ledger.Entry) error {
		if p.wasThere(e.Received, e.Deleted) {
			r.deleted[ledger.Key{Kind: e.Kind, Name: e.Name}] = kept{e.At, e.Received, e.Size}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if r.marks, err = p.oldMarks(ctx); err != nil {
		return nil, err
	}
	r.receipts, err = p.checkHorizon(ctx)
	return r, err
}

// oldMarks returns the marks that were made by then, of which there come no more.
func (p *Past) oldMarks(ctx context.Context) (map[string]time.Time, error) {
	if p.s.renames {
		return nil, nil
	}
	p.mu.Lock()
	marks := p.marks
	p.mu.Unlock()
	if marks != nil {
		return marks, nil
	}
	marks, _, err := p.s.ledger.MarksAround(ctx, p.repo, p.at)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marks = marks
	return marks, nil
}

// checkHorizon refuses a time that cannot be had, and returns the receipts that are in
// notes.
func (p *Past) checkHorizon(ctx context.Context) (map[ledger.Key]time.Time, error) {
	if !time.Now().After(p.at.Add(time.Second)) {
		return nil, fmt.Errorf("%w: %s", storage.ErrFuture, p.at.UTC().Format(time.RFC3339))
	}
	n, err := p.s.ledger.ReadNotes(ctx, p.repo)
	if err != nil {
		return nil, err
	}
	return n.Receipts, checkHorizon(p.at, n.Horizon)
}

// has reports whether an object that lies where it always does was there then.
func (p *Past) has(f *facts, kind string, info fs.FileInfo) (received time.Time, there bool, err error) {
	received = info.ModTime()
	if first, noted := f.receipts[ledger.Key{Kind: kind, Name: info.Name()}]; noted {
		received = first
	}
	if kind == ledger.Keys {
		return received, true, nil // see Past
	}
	if received.IsZero() {
		return received, false, errNoReceipts(p.repo)
	}
	if kind == ledger.Data && len(f.marks) > 0 {
		if marked, hidden := f.marks[info.Name()]; hidden && !info.ModTime().After(marked) {
			return received, false, nil
		}
	}
	return received, p.wasThere(received, time.Time{}), nil
}

// List calls fn for the objects of one kind, other than Config. It costs one pass over
// what is there, one over the trash, and the notes.
func (p *Past) List(ctx context.Context, kind string, fn func(fs.FileInfo) error) error {
	changes := p.s.returned.Load()
	there, err := p.listThere(ctx, kind, fn)
	if err != nil {
		return err
	}
	// Read behind the list of what is there: what is deleted while that goes on is in
	// the trash then.
	r, err := p.known(ctx, time.Now())
	if err != nil {
		return err
	}
	for key, k := range r.deleted {
		if key.Kind != kind || there.has(key.Name) {
			continue
		}
		if err := fn(pastInfo{name: key.Name, size: k.size, received: k.received}); err != nil {
			return err
		}
	}
	if p.s.returned.Load() != changes {
		return fmt.Errorf("%w: something is being brought back from the trash of %s", storage.ErrUnavailable, p.repo)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listed[kind] = there
	return nil
}

// listThere is List for what lies where it always does.
func (p *Past) listThere(ctx context.Context, kind string, fn func(fs.FileInfo) error) (digests, error) {
	var f facts
	var err error
	if f.receipts, err = p.checkHorizon(ctx); err != nil {
		return nil, err
	}
	var since map[string]string
	if kind == ledger.Data && !p.s.renames {
		if f.marks, since, err = p.s.ledger.MarksAround(ctx, p.repo, p.at); err != nil {
			return nil, err
		}
	}
	there := digests{}
	err = p.s.store.List(ctx, p.repo+"/"+kind, func(info fs.FileInfo) error {
		if !ledger.IsHash(info.Name()) {
			return nil
		}
		if len(since) > 0 {
			delete(since, info.Name())
		}
		received, was, err := p.has(&f, kind, info)
		if err != nil || !was {
			return err
		}
		there.add(info.Name())
		return fn(pastInfo{name: info.Name(), size: info.Size(), received: received})
	})
	if err := storage.IgnoreAbsent(err); err != nil {
		return nil, err
	}
	return there, p.s.noticeLost(ctx, p.repo, since)
}

// Stat describes an object; its time is that of its receipt.
func (p *Past) Stat(ctx context.Context, kind, name string) (fs.FileInfo, error) {
	var info fs.FileInfo
	err := p.find(ctx, kind, name, func(place string, k *kept) error {
		if k != nil {
			info = pastInfo{name: name, size: k.size, received: k.received}
		}
		found, err := p.s.store.Stat(ctx, place)
		if err == nil && k == nil {
			info = found
		}
		return err
	})
	return info, err
}

// Open is that of a [storage.Store].
func (p *Past) Open(ctx context.Context, kind, name string, off, n int64) (body io.ReadCloser, size int64, err error) {
	err = p.find(ctx, kind, name, func(place string, _ *kept) (err error) {
		body, size, err = p.s.store.Open(ctx, place, off, n)
		return err
	})
	return body, size, err
}

// find has an object used at the place where it lies; k is what the trash knows of it, nil
// where it lies where it always does. What moved meanwhile is looked for again.
func (p *Past) find(ctx context.Context, kind, name string, use func(place string, k *kept) error) error {
	began := time.Now()
	o := ledger.Ref{Repo: p.repo, Kind: kind, Name: name}
	absent := &fs.PathError{Op: "open", Path: o.Path(), Err: fs.ErrNotExist}
	since := time.Time{}
	if kind == ledger.Config {
		since = began // a client begins with it: it must hear of the horizon of now
	}
	for range 3 {
		r, err := p.known(ctx, since)
		if err != nil {
			return err
		}
		switch found, err := p.tryAt(ctx, r, o, use); {
		case found && !errors.Is(err, fs.ErrNotExist), err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case !found && !r.began.Before(began):
			return absent
		}
		since = time.Now()
	}
	return absent
}

// tryAt has an object used at the place that a record and the storage say.
func (p *Past) tryAt(ctx context.Context, r *record, o ledger.Ref, use func(place string, k *kept) error) (found bool, err error) {
	if k, deleted := r.deleted[o.Key()]; deleted {
		return true, use(k.at, &k)
	}
	p.mu.Lock()
	listed := p.listed[o.Kind].has(o.Name)
	p.mu.Unlock()
	if !listed {
		info, err := p.s.store.Stat(ctx, o.Path())
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if _, there, err := p.has(&r.facts, o.Kind, info); err != nil || !there {
			return false, err
		}
	}
	return true, use(o.Path(), nil)
}

// pastInfo describes an object of a Past.
type pastInfo struct {
	name     string
	size     int64
	received time.Time
}

func (i pastInfo) Name() string       { return i.name }
func (i pastInfo) Size() int64        { return i.size }
func (pastInfo) Mode() fs.FileMode    { return 0o400 }
func (i pastInfo) ModTime() time.Time { return i.received }
func (pastInfo) IsDir() bool          { return false }
func (pastInfo) Sys() any             { return nil }
