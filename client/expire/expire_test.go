package expire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/retention"
)

// received are so many snapshots that the storage has received.
func received(n int) []*retention.Snapshot {
	var snapshots []*retention.Snapshot
	for i := range n {
		snapshots = append(snapshots, &retention.Snapshot{ID: fmt.Sprintf("%064x", i), Received: time.Unix(int64(1000+i), 0)})
	}
	return snapshots
}

func TestRefuseKeepsWhatNobodyCanHaveMeantToLose(t *testing.T) {
	t.Parallel()
	ten := received(10)
	forged := &retention.Snapshot{ID: "f"}
	byNode := &retention.Snapshot{ID: "n", ByNode: true}
	for name, test := range map[string]struct {
		snapshots    []*retention.Snapshot
		keep, remove []*retention.Snapshot
		share        int
		want         string
	}{
		"nothing goes":                           {ten, ten, nil, 0, ""},
		"half may go":                            {ten, ten[:5], ten[5:], 50, ""},
		"more than half may not":                 {ten, ten[:4], ten[4:], 50, "6 of 10 snapshots would go, more than 50 %"},
		"all may not, whatever the share":        {ten, nil, ten, 100, "the last snapshot that is not held would go"},
		"one of unknown age lets nothing go":     {append(slices.Clone(ten), forged), ten[:9], ten[9:], 50, "does not know when it received 1 snapshots"},
		"of unknown age where nothing would go":  {append(slices.Clone(ten), forged), ten, nil, 50, ""},
		"a node's own snapshot needs no receipt": {append(slices.Clone(ten), byNode), ten[:9], ten[9:], 50, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Refuse(test.snapshots, retention.Plan{Keep: test.keep, Remove: test.remove}, test.share, "--force")
			switch {
			case test.want == "" && err != nil:
				t.Errorf("it is refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "--force does it anyway")):
				t.Errorf("it says %v", err)
			case test.want != "" && exit.CodeOf(t.Context(), err) != int(exit.Conflict):
				t.Errorf("the exit status is %d", exit.CodeOf(t.Context(), err))
			}
		})
	}
}

func TestRemoveNamesEachSnapshotOnceInCommandLinesOfBoundedLength(t *testing.T) {
	t.Parallel()
	all := received(2*atOnce + 1)
	var lengths []int
	var named []string
	err := Remove(all, func(args ...string) error {
		if args[0] != "forget" {
			t.Errorf("it runs %q", args[0])
		}
		lengths = append(lengths, len(args)-1)
		named = append(named, args[1:]...)
		return nil
	})
	if err != nil || !slices.Equal(lengths, []int{atOnce, atOnce, 1}) {
		t.Errorf("%v, command lines of %v snapshots", err, lengths)
	}
	for i, s := range all {
		if named[i] != s.ID {
			t.Fatalf("snapshot %d is %s, named is %s", i, s.ID, named[i])
		}
	}
}

func TestRemoveEndsWithTheFirstFailure(t *testing.T) {
	t.Parallel()
	broken, calls := errors.New("broken"), 0
	if err := Remove(received(atOnce+1), func(...string) error { calls++; return broken }); !errors.Is(err, broken) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestNodeIsTheOneOfTheEnvironment(t *testing.T) {
	t.Parallel()
	for want, vars := range map[string]map[string]string{
		"3": {"NODE_ID": "3", "REDIS_USER": "node/1"},
		"1": {"REDIS_USER": "node/1"},
		"":  {"REDIS_USER": "module/mail1"},
	} {
		env := host.NewEnvironment(func(name string) (string, bool) { value, set := vars[name]; return value, set })
		if got := Node(env); got != want {
			t.Errorf("%v: node %q", vars, got)
		}
	}
}
