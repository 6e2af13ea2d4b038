package live

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// spacious is a store that tells its space.
type spacious struct {
	storage.Store

	asked int
	err   error
}

func (s *spacious) Space(context.Context) (free, used, total int64, err error) {
	s.asked++
	return 1, 2, 3, s.err
}

func storeOf(backend storage.Store, kind string) *Mount {
	open := func(context.Context, *catalog.Destination) (storage.Store, io.Closer, error) {
		return backend, nil, nil
	}
	return newMount(&catalog.Destination{ID: destID, Type: kind}, open, nil, discard)
}

func TestSpaceIsAskedForNowAndThen(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{TypeLocal, "sftp"} {
		synctest.Test(t, func(t *testing.T) {
			backend := &spacious{Store: storetest.NewMem(), err: errors.New("refused")}
			s := storeOf(backend, kind)
			if _, err := s.space(t.Context()); !errors.Is(err, backend.err) {
				t.Errorf("%s: %v", kind, err)
			}
			backend.err = nil
			for range 3 {
				if got, err := s.space(t.Context()); err != nil || got != (Capacity{1, 2, 3}) {
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
	if err != nil || got != (Capacity{-1, -1, -1}) {
		t.Errorf("%v, %v", got, err)
	}
}

// silent is a store that does not tell its space, whatever the context says.
type silent struct {
	storage.Store

	released chan struct{}
}

func (s silent) Space(context.Context) (free, used, total int64, err error) {
	<-s.released
	return 1, 2, 3, nil
}

func TestSpaceOfAllIsOverInTimeWhoeverIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const silentID = "11111111-2222-4333-8444-555555555555"
		released := make(chan struct{})
		v := &View{Mounts: map[string]*Mount{
			destID:   storeOf(&spacious{Store: storetest.NewMem()}, "sftp"),
			otherID:  storeOf(&spacious{Store: storetest.NewMem(), err: errors.New("refused")}, "sftp"),
			silentID: storeOf(silent{storetest.NewMem(), released}, "sftp"),
		}}
		start := time.Now()
		told := v.Space(t.Context())
		if took := time.Since(start); took != allTimeout {
			t.Errorf("it took %v", took)
		}
		if s := told[destID]; s.Free == nil || *s.Free != 1 || *s.Used != 2 || *s.Total != 3 || s.Held != nil {
			t.Errorf("one that tells: %+v", s)
		}
		for _, id := range []string{otherID, silentID} {
			if s, listed := told[id]; !listed || s.Free != nil || s.Used != nil || s.Total != nil {
				t.Errorf("one that does not: %+v, %v", s, listed)
			}
		}
		close(released)
	})
}

func TestSpaceOfAllTellsWhatAQuotaHasCounted(t *testing.T) {
	t.Parallel()
	s := storeOf(storetest.NewMem(), TypeLocal)
	s.Guard.SetLimits(catalog.Limits{Quota: 1000})
	opened, err := s.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	for _, name := range []string{"1", "2"} {
		if err := putSized(t, opened, "mail/"+ownUUID+"/data/aa/"+name, 100); err != nil {
			t.Fatal(err)
		}
	}
	v := &View{Mounts: map[string]*Mount{destID: s}}
	if held := v.Space(t.Context())[destID].Held; held == nil || *held != 200 {
		t.Errorf("held %v", held)
	}
}
