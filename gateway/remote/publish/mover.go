package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/rclone/rclone/fs"
)

// MoveFunc gives an object another name.
type MoveFunc = func(ctx context.Context, src fs.Object, remote string) (fs.Object, error)

func moveByCopy(duplicate MoveFunc) MoveFunc {
	return func(ctx context.Context, src fs.Object, remote string) (fs.Object, error) {
		o, err := duplicate(ctx, src, remote)
		if err == nil {
			err = src.Remove(ctx)
		}
		return o, err
	}
}

// MoveOf returns how objects of a remote get another name: by a rename, or by a copy of
// which the first is removed. It is nil where there is neither.
func MoveOf(f fs.Fs) MoveFunc {
	features := f.Features()
	switch {
	case features.Move != nil:
		return features.Move
	case features.Copy != nil:
		return moveByCopy(features.Copy)
	}
	return nil
}

// Replace moves an object to a name, all or nothing, on a remote of which whole says that a
// move never takes an object away before another is in its place. What is there with the
// same content stays, and the object that was to be moved goes.
func Replace(ctx context.Context, f fs.Fs, whole bool, from fs.Object, name string) error {
	// A copy in a bucket replaces at once, as a PUT does.
	m := mover{f, MoveOf(f), whole || f.Features().Move == nil}
	if err := m.replace(ctx, from, name); !errors.Is(err, ErrStayed) {
		return err
	}
	return nil
}

// mover publishes with a move.
type mover struct {
	fs    fs.Fs
	move  MoveFunc
	whole bool // see [backend.MovesWhole]
}

// tidyTimeout bounds what is still done for a request that failed.
const tidyTimeout = 15 * time.Second

func (m mover) put(ctx context.Context, name string, size int64, body io.Reader) error {
	temporary := path.Join(path.Dir(name), temporaryName(partialSuffix))
	o, err := put(ctx, m.fs, temporary, size, body)
	if err == nil {
		if err = m.replace(ctx, o, name); err == nil || errors.Is(err, ErrStayed) {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	return errors.Join(err, m.discard(ctx, temporary))
}

// replace moves a complete upload to its name. What is there already with the same
// content stays: of one object of restic, uploaded twice, no reader ever misses the
// first. Not every remote replaces an object by a move: where it refuses, another one
// is moved aside first, and back if that does not help.
func (m mover) replace(ctx context.Context, upload fs.Object, name string) error {
	if !m.whole || KeepsReceipt(name) {
		old, err := m.find(ctx, name)
		if err != nil {
			return err
		}
		if same, err := isSame(ctx, old, upload.Size(), name); err != nil || same {
			return withdraw(ctx, upload, err)
		}
	}
	_, err := m.move(ctx, upload, name)
	if err == nil || ctx.Err() != nil {
		return err
	}
	old, findErr := m.find(ctx, name)
	if old == nil || findErr != nil {
		return err // there is nothing in the way
	}
	if same, err := isSame(ctx, old, upload.Size(), name); err != nil || same {
		return withdraw(ctx, upload, err)
	}
	// From here on the name stands for nothing until one of the moves is done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	aside, asideErr := m.move(ctx, old, path.Join(path.Dir(name), temporaryName(replacedSuffix)))
	if asideErr != nil {
		return errors.Join(err, asideErr)
	}
	if _, err = m.move(ctx, upload, name); err != nil {
		_, backErr := m.move(ctx, aside, name)
		return errors.Join(err, backErr)
	}
	_ = aside.Remove(ctx) // what is left, if so, has a temporary name and no use
	return nil
}

// withdraw removes an upload that is not needed, since the same is there, or could not be
// compared with what is there.
func withdraw(ctx context.Context, upload fs.Object, err error) error {
	if err := errors.Join(err, upload.Remove(ctx)); err != nil {
		return err
	}
	return ErrStayed
}

// find returns the object of that name, or nil where there is none.
func (m mover) find(ctx context.Context, name string) (fs.Object, error) {
	o, err := m.fs.NewObject(ctx, name)
	if errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
		return nil, nil
	}
	return o, err
}

// discard removes what a failed upload left.
func (m mover) discard(ctx context.Context, temporary string) error {
	o, err := m.find(ctx, temporary)
	if err == nil && o != nil {
		err = o.Remove(ctx)
	}
	if err == nil || errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
		return nil
	}
	return fmt.Errorf("%s may be left: %w", temporary, err)
}
