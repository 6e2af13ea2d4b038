package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/config/configmap"
	"github.com/rclone/rclone/fs/config/configstruct"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Options are what Open needs beside the section.
type Options struct {
	// Changed, unless nil, is called with what the backend stores in its section:
	// a refreshed OAuth token, which may be the only one that still works. The
	// store itself goes on with the new value. It is called from requests, at
	// once by several, and must not block.
	Changed func(key, value string)
}

// Store is a [storage.Store] and [storage.Creator] on an rclone remote.
type Store struct {
	id     string
	fs     fs.Fs
	config context.Context // carries rclone's configuration of this remote
	scrub  scrubber
	clear  bool // a password of the section does not look obscured

	// oneRequest: an fs.Object knows nothing until it is asked; see tuning.go.
	oneRequest bool
	// buckets: what is not found may be the bucket, and then proves nothing.
	buckets bool
	// put publishes all or nothing, in the way that suits the backend.
	put putFunc
	// movesWhole: a move never takes an object away before another is in its place.
	movesWhole bool
	// oneVersion: to remove an object brings back what it replaced.
	oneVersion bool
	// hider, where there is one, returns an Fs that hides what it deletes; hides is
	// true since the key may do no more than that.
	hider func() (fs.Fs, error)
	hides atomic.Bool
	// turns of those who list directories.
	turns turns
	// creator returns an Fs that may make the bucket.
	creator func() (fs.Fs, error)
}

var (
	_ storage.Store   = (*Store)(nil)
	_ storage.Creator = (*Store)(nil)
)

// Open makes a Store from the rclone section of one destination; base is the
// path on the remote below which its objects live. It sends no request where the
// backend allows that: S3 and other buckets do, SFTP dials. The store outlives
// ctx, which bounds opening alone. Errors name keys of the section, never values.
func Open(ctx context.Context, id string, section map[string]string, base string, opts Options) (*Store, error) {
	setup()
	backend := section["type"]
	info, err := fs.Find(backend)
	if err != nil {
		return nil, fmt.Errorf("open destination %s: %w %q", id, storage.ErrUnknownType, backend)
	}
	if err := errors.Join(checkOptions(info, section), checkHost(info, section)); err != nil {
		return nil, fmt.Errorf("open destination %s: %w", id, err)
	}
	s := &Store{
		id:         id,
		scrub:      newScrubber(section, info.Options),
		oneRequest: takesOneRequest(section),
		clear:      looksClear(section, info.Options),
	}
	var ci *fs.ConfigInfo
	s.config, ci = fs.AddConfig(context.WithoutCancel(ctx))
	configure(ci, backend)

	values := newSection(tuned(section), opts.Changed)
	var overrides map[string]string
	if s.oneRequest {
		overrides = oneRequest
		// A root that ends with a slash is no file, which needs no request to see.
		base = strings.TrimSuffix(base, "/") + "/"
	}
	connect := func(overrides map[string]string) (fs.Fs, error) {
		return info.NewFs(s.config, id, base, configMap(info, values, overrides))
	}
	if s.fs, err = await(ctx, func() (fs.Fs, error) { return connect(overrides) }); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("open destination %s: %w", id, ctx.Err())
		}
		return nil, s.describe("open destination "+id, err)
	}
	s.creator = func() (fs.Fs, error) { return s.fs, nil }
	if s.oneRequest {
		s.creator = func() (fs.Fs, error) { return connect(nil) }
	}
	if section["type"] == "b2" && section["hard_delete"] == "" {
		s.hider = sync.OnceValues(func() (fs.Fs, error) { return connect(map[string]string{"hard_delete": "false"}) })
	}
	s.put = withChecksums(id, s.fs, section, putFor(s.fs, info))
	s.movesWhole = hasTrait(movesWhole, s.fs, info)
	s.oneVersion = hasTrait(deletesOneVersion, s.fs, info)
	s.buckets = hasBuckets(s.fs, info)
	return s, nil
}

// hasBuckets reports whether f, opened as that backend, stores in buckets. To rclone
// the shares of SMB are some, too, but in them are true directories.
func hasBuckets(f fs.Fs, opened *fs.RegInfo) bool {
	based := f.Features().BucketBased
	for f.Features().UnWrap != nil {
		f = f.Features().UnWrap()
	}
	return based && backendOf(f, opened).Name != "smb"
}

// backendOf returns the backend of f: rclone knows those that it opened itself, and
// all others are the one that we opened.
func backendOf(f fs.Fs, opened *fs.RegInfo) *fs.RegInfo { return cmp.Or(fs.FindFromFs(f), opened) }

// checkOptions parses every option of the section, so that an error can name the
// key without the value; rclone's own names both.
func checkOptions(info *fs.RegInfo, section map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(section)) {
		option := info.Options.Get(key)
		if option == nil || section[key] == "" {
			continue
		}
		if _, err := configstruct.StringToInterface(option.GetValue(), section[key]); err != nil {
			return fmt.Errorf("section of type %s: the value of %q does not parse", info.Name, key)
		}
	}
	return nil
}

// checkHost refuses a host that is more than that, as in a URL or with a user before
// it: backends look such a name up, which tells nobody what is wrong.
func checkHost(info *fs.RegInfo, section map[string]string) error {
	host, given := section["host"]
	if !given || info.Options.Get("host") == nil {
		return nil
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil && strings.ContainsAny(host, "@/\\: ") {
		return fmt.Errorf("section of type %s: %w", info.Name, storage.ErrHost)
	}
	return nil
}

// configMap is what rclone's own would be, without flags and environment: the
// section, then the backend's defaults.
func configMap(info *fs.RegInfo, values *section, overrides map[string]string) *configmap.Map {
	m := fs.ConfigMap(info.Prefix, info.Options, "", nil)
	m.ClearGetters(configmap.PriorityNormal)
	m.ClearSetters()
	m.AddGetter(configmap.Simple(overrides), configmap.PriorityNormal)
	m.AddGetter(values, configmap.PriorityConfig)
	m.AddSetter(values)
	return m
}

// section is a destination's section while it is open; it implements rclone's
// configmap.Getter and Setter.
type section struct {
	changed func(key, value string)

	mu     sync.RWMutex
	values map[string]string
}

func newSection(values map[string]string, changed func(key, value string)) *section {
	if changed == nil {
		changed = func(string, string) {}
	}
	return &section{values: values, changed: changed}
}

func (s *section) Get(key string) (value string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	value = s.values[key]
	return value, value != "" // an empty value in a section means the default
}

func (s *section) Set(key, value string) {
	s.mu.Lock()
	same := s.values[key] == value
	s.values[key] = value
	s.mu.Unlock()
	if !same {
		s.changed(key, value)
	}
}

// await runs connect, but not for longer than ctx lasts: not every backend
// honours a context while it dials. A connection that comes too late is closed.
func await(ctx context.Context, connect func() (fs.Fs, error)) (fs.Fs, error) {
	type result struct {
		fs  fs.Fs
		err error
	}
	done := make(chan result, 1)
	go func() {
		f, err := connect()
		if errors.Is(err, fs.ErrorIsFile) {
			// Said of a file, and by some backends of what they could not look at.
			// The Fs beside it is that of the parent, which nobody asked for.
			_ = shutdown(f)
			err = errors.New("the base path is a file, or cannot be looked at")
		}
		done <- result{f, err}
	}()
	select {
	case r := <-done:
		return r.fs, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				_ = shutdown(r.fs)
			}
		}()
		return nil, ctx.Err()
	}
}

// shutdownTimeout bounds the farewell to a server that does not answer.
const shutdownTimeout = 10 * time.Second

// Close shuts the backend down. The caller has waited for the last request.
func (s *Store) Close() error {
	if err := shutdown(s.fs); err != nil {
		return s.describe("close destination "+s.id, err)
	}
	return nil
}

func shutdown(f fs.Fs) error {
	if f == nil || f.Features().Shutdown == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	return f.Features().Shutdown(ctx)
}

// with gives rclone's functions, which look into the context for it, the
// configuration of this remote, and counts errors that they only log under the
// destination's name.
func (s *Store) with(ctx context.Context) context.Context {
	return accounting.WithStatsGroup(fs.CopyConfig(ctx, s.config), s.id)
}
