package remote

import (
	"context"
	"errors"
	iofs "io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/publish"
)

// plant leaves half an upload in dir, begun and last written to so long ago.
func plant(t *testing.T, dir string, begun, written time.Duration, suffix string) (name string) {
	t.Helper()
	name = "upload-" + time.Now().Add(-begun).UTC().Format("20060102T150405Z") + "-" + suffix
	file, modified := filepath.Join(dir, name), time.Now().Add(-written)
	if err := os.WriteFile(file, []byte("half of a p"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, modified, modified); err != nil {
		t.Fatal(err)
	}
	return name
}

const (
	overADay  = 25 * time.Hour
	underADay = 23 * time.Hour
)

func TestListSweepsUploadsThatWereCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, map[string]string{"type": "local"}, dir)
	mustPut(t, s, pack, "content")
	shard := filepath.Join(dir, filepath.Dir(pack))
	plant(t, shard, overADay, overADay, "A.partial")
	plant(t, shard, overADay, overADay, "B.partial")
	want := []string{
		filepath.Base(pack),
		plant(t, shard, overADay, underADay, "C.partial"),
		plant(t, shard, underADay, overADay, "D.partial"),
		plant(t, shard, underADay, underADay, "E.partial"),
		plant(t, shard, overADay, overADay, "F.replaced"),
	}
	count := 0
	if err := s.List(t.Context(), repo, func(iofs.FileInfo) error { count++; return nil }); err != nil || count != 1 {
		t.Errorf("List = %d objects, %v; want the pack alone", count, err)
	}
	slices.Sort(want)
	if got := files(t, shard); !slices.Equal(got, want) {
		t.Errorf("after the list there are %v, want %v", got, want)
	}
}

// TestSweepIsBounded lets a list find more than it may remove.
func TestSweepIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, map[string]string{"type": "local"}, dir)
	for i := range 16 + 4 {
		plant(t, dir, overADay, overADay, strconv.Itoa(i)+".partial")
	}
	for _, want := range []int{4, 0} {
		if err := s.List(t.Context(), ".", func(iofs.FileInfo) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if got := len(files(t, dir)); got != want {
			t.Errorf("after a list there are %d files, want %d", got, want)
		}
	}
}

// undeletable is an object of a remote that lets nothing be removed.
type undeletable struct {
	fs.Object

	tries *int
}

func (o undeletable) Remove(context.Context) error {
	*o.tries++
	return errors.New("planned refusal")
}

func TestSweepEndsWhereNothingMayBeRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, map[string]string{"type": "local"}, dir)
	sweeper, tries := publish.NewSweeper(), 0
	for _, suffix := range []string{"A.partial", "B.partial"} {
		o, err := s.fs.NewObject(t.Context(), plant(t, dir, overADay, overADay, suffix))
		if err != nil {
			t.Fatal(err)
		}
		sweeper.See(undeletable{o, &tries})
	}
	sweeper.Sweep(t.Context(), "dest", s.failed)
	if tries != 1 {
		t.Errorf("%d objects were tried to remove, want 1", tries)
	}
}
