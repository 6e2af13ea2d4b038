package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// NoneError says that no lease can be had, and why: the gateway is away, is another program
// or an older one, or does not reach Redis.
type NoneError struct {
	err error
	// Unknown is true where the gateway does not know leases at all.
	Unknown bool
}

func (e *NoneError) Error() string { return "no lease can be had: " + e.err.Error() }
func (e *NoneError) Unwrap() error { return e.err }

// ErrLost is the cause why what needs a lease was stopped: it is somebody else's, or could
// not be renewed in time.
var ErrLost = errors.New("the lease of the repository is lost")

// Lease is held from Get to Release. Its methods work on nil as well, which is no lease.
type Lease struct {
	ask     asker
	token   string
	counter int64
	life    time.Duration

	ctx    context.Context // of what needs the lease
	cancel context.CancelCauseFunc
	ended  chan struct{}
	stop   context.CancelFunc

	mu      sync.Mutex
	dead    []string
	lockers []string
	news    chan struct{}
}

// Get gets a lease of a repository, with its user's credentials. Purpose is for people to
// read: backup, prune. Where somebody else holds it the error's status is exit.Locked;
// where none can be had at all it is a [NoneError]. What needs the lease works with
// [Lease.Context].
func Get(ctx context.Context, sys *host.System, repository restic.Repository, purpose string, lockers ...string) (*Lease, error) {
	a, err := newAsker(sys, repository)
	if err != nil {
		return nil, err
	}
	reply, err := a.grant(ctx, purpose, lockers)
	if err != nil {
		a.client.CloseIdleConnections()
		return nil, err
	}
	if held := reply.Held; held != nil {
		a.client.CloseIdleConnections()
		return nil, exit.Failf(exit.Locked, "repository %s: %s works on it (%s, since %s): wait for it",
			repository, host.Printable(held.Holder), host.Printable(held.Purpose), held.Since.Local().Format(time.DateTime))
	}
	l := &Lease{
		ask: a, token: reply.Token, counter: reply.Counter, life: time.Duration(reply.Seconds * float64(time.Second)),
		dead: reply.Dead, lockers: lockers, news: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	go l.renew(renewing)
	return l, nil
}

// Context ends when the lease is lost, with ErrLost as its cause, or with the context that
// the lease was got in.
func (l *Lease) Context(ctx context.Context) context.Context {
	if l == nil {
		return ctx
	}
	return l.ctx
}

// Dead are the lockers of runs that ended without releasing their lease.
func (l *Lease) Dead() []string {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.dead)
}

// AddLocker says what another lock of this run names, without waiting until the gateway
// knows it.
func (l *Lease) AddLocker(locker string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lockers = append(l.lockers, locker)
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// Release ends the lease. Clean says that no locks of dead runs are left. Where the gateway
// cannot be told, the lease ends by itself.
func (l *Lease) Release(ctx context.Context, clean bool) {
	if l == nil {
		return
	}
	l.stop()
	<-l.ended
	l.cancel(context.Canceled)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	_ = l.ask.release(ctx, l.token, clean)
	l.ask.client.CloseIdleConnections()
}

// renewals are how often a lease is renewed in its life.
const renewals = 4

// retryPause lies between tries to renew that failed.
const retryPause = 5 * time.Second

// renew renews the lease until ctx ends. Where that has failed for as long as the lease
// lives, it is lost to what needs it; a backup, which needs it less, goes on, and so do
// the tries.
func (l *Lease) renew(ctx context.Context) {
	defer close(l.ended)
	good := time.Now()
	pause := l.life / renewals
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.news:
		case <-time.After(pause):
		}
		asked := time.Now()
		reply, err := l.ask.renew(ctx, l.token, l.known())
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && reply.Lost:
			l.cancel(ErrLost)
			return
		case err == nil:
			good, pause = asked, l.life/renewals
		case time.Since(good) > l.life:
			l.cancel(fmt.Errorf("%w: it could not be renewed: %w", ErrLost, err))
			pause = retryPause
		default:
			pause = min(retryPause, l.life/renewals)
		}
	}
}

func (l *Lease) known() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lockers)
}

// Counter only grows, with each lease of the repository.
func (l *Lease) Counter() int64 {
	if l == nil {
		return 0
	}
	return l.counter
}

// IsNone reports whether an error says that no lease can be had, and whether that is
// because the gateway does not know leases at all.
func IsNone(err error) (none, unknown bool) {
	found, none := errors.AsType[*NoneError](err)
	return none, none && found.Unknown
}
