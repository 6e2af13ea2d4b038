package gateway

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// spacious is a store that tells its space.
type spacious struct {
	rest.Store

	asked int
	err   error
}

func (s *spacious) Space(context.Context) (free, used, total int64, err error) {
	s.asked++
	return 1, 2, 3, s.err
}

func storeOf(backend rest.Store, kind string) *store {
	open := func(context.Context, *catalog.Destination) (rest.Store, io.Closer, error) { return backend, nil, nil }
	return newStore(&catalog.Destination{ID: destID, Type: kind}, open, discard)
}

func TestSpaceIsAskedForNowAndThen(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{typeLocal, "sftp"} {
		synctest.Test(t, func(t *testing.T) {
			backend := &spacious{Store: storetest.NewMem(), err: errors.New("refused")}
			s := storeOf(backend, kind)
			if _, err := s.space(t.Context()); !errors.Is(err, backend.err) {
				t.Errorf("%s: %v", kind, err)
			}
			backend.err = nil
			for range 3 {
				if got, err := s.space(t.Context()); err != nil || got != (Space{1, 2, 3}) {
					t.Errorf("%s: %v, %v", kind, got, err)
				}
			}
			time.Sleep(spaceExpires) // of the bubble
			if _, err := s.space(t.Context()); err != nil || backend.asked != 3 {
				t.Errorf("%s: asked %d times, %v; want a failure, an answer and a fresh one", kind, backend.asked, err)
			}
		})
	}
}

func TestSpaceThatIsNotTold(t *testing.T) {
	t.Parallel()
	got, err := storeOf(storetest.NewMem(), "s3").space(t.Context())
	if err != nil || got != (Space{-1, -1, -1}) {
		t.Errorf("%v, %v", got, err)
	}
}
