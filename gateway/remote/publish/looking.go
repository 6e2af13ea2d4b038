package publish

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
)

// ErrStayed is returned by an upload that found the object there with that content. The
// body may not have been read to its end.
var ErrStayed = errors.New("it is there already")

// looking is a put that looks first.
type looking struct {
	put  putFunc
	find func(ctx context.Context, name string) (fs.Object, error) // nil where there is none
}

func (l *looking) upload(ctx context.Context, name string, size int64, body io.Reader) error {
	if !KeepsReceipt(name) {
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
		return ErrStayed
	}
	return l.put(ctx, name, size, body)
}
