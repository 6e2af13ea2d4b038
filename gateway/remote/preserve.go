package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"sync"
	"sync/atomic"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote/s3api"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Of an object that is named by its hash and uploaded again nobody renews the time: what
// a repository was at a time is known by those times. How that is seen to depends on how
// an object becomes visible:
//
//   - by a move: what is there is looked at before it ([mover.replace]);
//   - by a PUT to S3 whose storage keeps to If-None-Match: it refuses an object that
//     is there, in the one request that there is ([conditional]);
//   - by any other PUT: what is there is looked at first ([looking]).
//
// Locks have no time that matters, and come and go with every command: they are not
// looked for.

// errStayed is returned by a putFunc that found the object there with that content. The
// body may not have been read to its end.
var errStayed = errors.New("it is there already")

// sumOf is the hash that an object's name says its content has.
func sumOf(name string) (sum [sha256.Size]byte, known bool) {
	base := path.Base(name)
	if len(base) != hex.EncodedLen(len(sum)) {
		return sum, false
	}
	_, err := hex.Decode(sum[:], []byte(base))
	return sum, err == nil
}

// keepsReceipt reports whether the time of an object of that name matters, and its
// content can be judged by the name.
func keepsReceipt(name string) bool {
	_, known := sumOf(name)
	return known && path.Base(path.Dir(name)) != "locks"
}

// looking is a put that looks first.
type looking struct {
	put  putFunc
	find func(ctx context.Context, name string) (fs.Object, error) // nil where there is none
}

func (l *looking) upload(ctx context.Context, name string, size int64, body io.Reader) error {
	if !keepsReceipt(name) {
		return l.put(ctx, name, size, body)
	}
	old, err := l.find(ctx, name)
	switch {
	case backend.IsDenial(err): // a key that may only write
		return l.put(ctx, name, size, body)
	case err != nil:
		return fmt.Errorf("look for what is there already: %w", err)
	}
	switch same, err := isSame(ctx, old, size, name); {
	case err != nil:
		return err
	case same:
		return errStayed
	}
	return l.put(ctx, name, size, body)
}

// What is known of whether a storage keeps to If-None-Match.
const (
	unproven int32 = iota
	enforced
	ignored
)

// conditional is a put to S3. Whether the storage refuses to replace an object is proven
// with the first small upload, such as restic's lock: it is sent twice, and the storage
// must refuse the second. Before that, and where it does not, it is looked first.
type conditional struct {
	looking

	dest    string
	state   atomic.Int32
	damaged sync.Map // names of objects whose content is wrong: the next upload replaces them

	mu       sync.Mutex
	underWay map[string]int // the uploads with the condition, by name
}

// maxProof is the size up to which an upload is kept in memory, to be sent twice.
const maxProof = 64 << 10

// maxCondition is the size from which on an upload may take several requests, which
// carry no condition.
const maxCondition = 200 << 20

func (c *conditional) upload(ctx context.Context, name string, size int64, body io.Reader) error {
	_, named := sumOf(name)
	state := c.state.Load()
	switch {
	case !named, size >= maxCondition:
		return c.looking.upload(ctx, name, size, body)
	case state == unproven && size <= maxProof:
		content, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		return c.prove(ctx, name, content)
	case state != enforced || !keepsReceipt(name):
		return c.looking.upload(ctx, name, size, body)
	}
	if _, wrong := c.damaged.LoadAndDelete(name); wrong {
		return c.put(ctx, name, size, body)
	}
	return c.putNew(ctx, name, size, body)
}

// prove uploads, and finds out by it whether the storage keeps to the condition.
func (c *conditional) prove(ctx context.Context, name string, content []byte) error {
	once := func() error {
		return c.put(s3api.NewOnly(ctx), name, int64(len(content)), bytes.NewReader(content))
	}
	first := once()
	switch {
	case s3api.IsTaken(first):
		c.state.Store(enforced)
		return c.settle(ctx, name, int64(len(content)), func() error { return c.put(ctx, name, int64(len(content)), bytes.NewReader(content)) })
	case first != nil && s3api.RefusesCondition(first):
		c.found(ignored)
		return c.looking.upload(ctx, name, int64(len(content)), bytes.NewReader(content))
	case first != nil:
		return first
	}
	switch second := once(); {
	case s3api.IsTaken(second):
		c.found(enforced)
	case second == nil:
		c.found(ignored)
	}
	return nil // it is stored, whatever became of the proof
}

// found notes what was proven.
func (c *conditional) found(state int32) {
	if c.state.Swap(state) == state {
		return
	}
	if state == ignored {
		slog.Info("a storage does not refuse to replace objects: uploads look for what is there first", "dest", c.dest)
	}
}

// putNew uploads what must not be there.
func (c *conditional) putNew(ctx context.Context, name string, size int64, body io.Reader) error {
	once := &seizable{from: body}
	c.note(name, 1)
	err := c.put(s3api.NewOnly(ctx), name, size, once)
	c.note(name, -1)
	switch {
	case s3api.HasStatus(err, http.StatusConflict): // somebody else uploads it at this moment
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	case !s3api.IsTaken(err):
		return err
	}
	return c.settle(ctx, name, size, func() error {
		rest, whole := once.seize()
		if whole {
			return c.put(ctx, name, size, rest)
		}
		c.damaged.Store(name, nil)
		return fmt.Errorf("%w: what is there of that name is damaged: the next upload replaces it", storage.ErrUnavailable)
	})
}

// note counts an upload that begins, or ends.
func (c *conditional) note(name string, by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.underWay == nil {
		c.underWay = make(map[string]int)
	}
	if c.underWay[name] += by; c.underWay[name] == 0 {
		delete(c.underWay, name)
	}
}

func (c *conditional) isUnderWay(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.underWay[name] > 0
}

// stillUploaded reports whether an object is not there yet, while this process uploads it.
func (s *Store) stillUploaded(ctx context.Context, name string) (bool, error) {
	if s.conditional == nil || !s.conditional.isUnderWay(name) {
		return false, nil
	}
	return s.unlisted(ctx, name)
}

// settle is for an upload that was refused since there is something of that name: that
// stays if it is right, and else replace is called.
func (c *conditional) settle(ctx context.Context, name string, size int64, replace func() error) error {
	old, err := c.find(ctx, name)
	if err != nil {
		return fmt.Errorf("look at what is there already: %w", err)
	}
	switch same, err := isSame(ctx, old, size, name); {
	case err != nil:
		return err
	case same:
		return errStayed
	}
	return replace()
}

// seizable is a body that is taken back from a request which has ended: its transport
// may still read.
type seizable struct {
	mu     sync.Mutex
	from   io.Reader
	read   bool
	seized bool
}

var errSeized = errors.New("the request has ended")

func (s *seizable) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seized {
		return 0, errSeized
	}
	s.read = true
	return s.from.Read(p)
}

// seize returns what is left of the body, and whether that is all of it.
func (s *seizable) seize() (rest io.Reader, whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seized = true
	return s.from, !s.read
}

// preserving returns put so that it leaves objects alone that are there already; before
// and after say whether it is looked before the upload, or put does so itself.
func (s *Store) preserving(section map[string]string, put putFunc) putFunc {
	look := looking{put, s.lookFor}
	switch {
	case movesIntoPlace(s.backend):
		return put
	case section["use_presigned_request"] == "true" || !s3api.Extend(s.fs):
		return look.upload
	}
	s.conditional = &conditional{looking: look, dest: s.backend.ID}
	return s.conditional.upload
}

// movesIntoPlace reports whether an upload becomes visible by a move.
func movesIntoPlace(b *backend.Backend) bool {
	features := b.Fs.Features()
	return !b.Has(backend.PublishesPut) && (features.Move != nil || features.Copy != nil)
}

// lookFor returns the object of that name, or nil where there is none.
func (s *Store) lookFor(ctx context.Context, name string) (fs.Object, error) {
	o, err := s.find(ctx, name)
	if errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
		return nil, nil
	}
	return o, err
}

// Preserves reports how the store keeps the times of objects that are uploaded again:
// in the request of the upload itself, or by a look at what is there before it. It is
// known for sure only after the first small upload.
func (s *Store) Preserves() (inOneRequest bool) {
	return s.conditional != nil && s.conditional.state.Load() == enforced
}

// isSame reports whether old, unless it is nil, has that size and the content that its
// name says. Only of names that are hashes it is sure.
func isSame(ctx context.Context, old fs.Object, size int64, name string) (bool, error) {
	want, known := sumOf(name)
	if !known || old == nil || old.Size() != size {
		return false, nil
	}
	body, err := old.Open(ctx)
	if err != nil {
		return false, fmt.Errorf("read what is there already: %w", err)
	}
	defer body.Close()
	digest := sha256.New()
	if _, err = io.Copy(digest, body); err != nil {
		return false, fmt.Errorf("read what is there already: %w", err)
	}
	return [sha256.Size]byte(digest.Sum(nil)) == want, nil
}
