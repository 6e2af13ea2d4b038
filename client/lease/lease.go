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

// NoneError says that no lease is available, and why: the gateway is down, is another
// program or an older version, or cannot reach Redis.
type NoneError struct {
	err error
	// Unknown is true if the gateway does not support leases.
	Unknown bool
}

func (e *NoneError) Error() string { return "no lease can be had: " + e.err.Error() }
func (e *NoneError) Unwrap() error { return e.err }

// ErrLost is the cause with which a context ends when its lease was taken over, or could
// not be renewed in time.
var ErrLost = errors.New("the lease of the repository is lost")

// Lease is held from Get to Release. All methods accept nil, which stands for no lease.
type Lease struct {
	ask     asker
	token   string
	counter int64
	life    time.Duration

	ctx    context.Context // of the work that needs the lease
	cancel context.CancelCauseFunc
	ended  chan struct{}
	stop   context.CancelFunc

	mu      sync.Mutex
	dead    []string
	lockers []string
	news    chan struct{}
}

// Get gets a lease of a repository with its user's credentials. purpose is shown to people:
// backup, prune. If somebody else holds the lease, the error has the status exit.Locked; if
// no lease is available at all, it is a [NoneError]. Work that needs the lease must use
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

// Context ends with the context that was passed to Get, or with ErrLost as its cause when
// the lease is lost.
func (l *Lease) Context(ctx context.Context) context.Context {
	if l == nil {
		return ctx
	}
	return l.ctx
}

// Dead returns the lockers of runs that ended without releasing their lease.
func (l *Lease) Dead() []string {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.dead)
}

// AddLocker adds the name in another lock of this run. It does not wait for the gateway.
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

// Release ends the lease. clean says that no locks of dead runs are left. If the gateway
// does not answer, the lease expires on its own.
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

// renewals is how many times a lease is renewed during its lifetime.
const renewals = 4

// retryPause is the pause after a failed renewal.
const retryPause = 5 * time.Second

// renew renews the lease until ctx ends. If that fails for the lifetime of the lease, the
// lease counts as lost, and the lease's context ends. Renewal goes on for backups, which
// can continue without it.
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

// Counter grows with each lease of the repository.
func (l *Lease) Counter() int64 {
	if l == nil {
		return 0
	}
	return l.counter
}

// IsNone reports whether an error says that no lease is available, and whether the reason
// is that the gateway does not support leases.
func IsNone(err error) (none, unknown bool) {
	found, none := errors.AsType[*NoneError](err)
	return none, none && found.Unknown
}
