package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/s3api"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

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
	case state != enforced || !KeepsReceipt(name):
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
		return ErrStayed
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
