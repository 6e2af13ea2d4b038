package dav_test

import (
	"sync"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func TestMoveAndCopy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		from, to string
		header   []string
		want     int
		moved    map[string]string // what is there then, by name; "" is nothing
	}{
		{"a file", "/a/one", "/two", nil, 201, map[string]string{"two": "a/one", "a/one": ""}},
		{"a file over another", "/a/one", "/keep", nil, 204, map[string]string{"keep": "a/one", "a/one": ""}},
		{"a file, not over another", "/a/one", "/keep", []string{"Overwrite", "F"}, 412, map[string]string{"keep": "keep", "a/one": "a/one"}},
		{"a file where nothing is", "/a/one", "/two", []string{"Overwrite", "F"}, 201, map[string]string{"two": "a/one", "a/one": ""}},
		{"a file over a directory", "/keep", "/a", nil, 204, map[string]string{"a": "keep", "keep": ""}},
		{"a directory", "/a", "/z", nil, 201, map[string]string{"z/one": "a/one", "z/b/two": "a/b/two", "a/one": ""}},
		{"a directory over a file", "/a/", "/keep", nil, 204, map[string]string{"keep/one": "a/one", "a/one": ""}},
		{"a directory over another", "/a", "/d", nil, 204, map[string]string{"d/one": "a/one", "d/old": "", "a/one": ""}},
		{"onto itself", "/a/one", "/a/one", nil, 403, map[string]string{"a/one": "a/one"}},
		{"into itself", "/a", "/a/b/c", nil, 403, map[string]string{"a/one": "a/one"}},
		{"over what holds it", "/a/one", "/a", nil, 403, map[string]string{"a/one": "a/one"}},
		{"over everything", "/a", "/", nil, 403, map[string]string{"a/one": "a/one"}},
		{"everything", "/", "/z", nil, 403, map[string]string{"a/one": "a/one"}},
		{"to a missing parent", "/a/one", "/absent/two", nil, 409, map[string]string{"a/one": "a/one"}},
		{"below a file", "/a/one", "/keep/two", nil, 409, map[string]string{"keep": "keep", "a/one": "a/one"}},
		{"what is absent", "/absent", "/two", nil, 404, map[string]string{"two": ""}},
		{"with an odd Overwrite", "/a/one", "/two", []string{"Overwrite", "perhaps"}, 400, map[string]string{"two": "", "a/one": "a/one"}},
		{"one level", "/a", "/z", []string{"Depth", "1"}, 400, map[string]string{"a/one": "a/one", "z/one": ""}},
		{"another version", "/a/one", "/two", []string{"If-Match", `"other"`}, 412, map[string]string{"two": "", "a/one": "a/one"}},
		{"into a layout", "/a/one", "/x/y/fixed/pack", nil, 403, map[string]string{"x/y/fixed/pack": "x/y/fixed/pack"}},
		{"out of a layout", "/x/y/fixed/pack", "/two", nil, 403, map[string]string{"x/y/fixed/pack": "x/y/fixed/pack"}},
		{"a layout", "/x/y", "/z", nil, 403, map[string]string{"x/y/fixed/pack": "x/y/fixed/pack"}},
		{"what holds a layout", "/x", "/z", nil, 403, map[string]string{"x/y/fixed/pack": "x/y/fixed/pack"}},
		{"what would become a layout", "/l", "/x/y", nil, 403, map[string]string{"l/fixed": "l/fixed", "x/y/fixed/pack": "x/y/fixed/pack"}},
		{"what would become one below", "/l", "/d/l", nil, 403, map[string]string{"l/fixed": "l/fixed", "d/l/fixed": ""}},
		{"over a layout", "/a", "/x", nil, 403, map[string]string{"x/y/fixed/pack": "x/y/fixed/pack", "a/one": "a/one"}},
	} {
		for _, method := range []string{"MOVE", "COPY"} {
			t.Run(method+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				store := filled(t, "a/one", "a/b/two", "keep", "d/old", "x/y/fixed/pack", "l/fixed")
				newServer(store).do(t, tt.want, method, tt.from, "", append([]string{"Destination", prefix + tt.to}, tt.header...)...)
				for name, want := range tt.moved {
					if want == "" && method == "COPY" && tt.want < 300 && "/"+name != tt.to+"/old" {
						want = name
					}
					content(t, store, name, want)
				}
			})
		}
	}
	s := newServer(filled(t, "a/one"))
	s.do(t, 400, "MOVE", "/a/one", "")
	s.do(t, 201, "COPY", "/a", "", "Destination", prefix+"/shell", "Depth", "0")
	content(t, s.store, "shell/one", "")
	s.do(t, 207, "PROPFIND", "/shell", "", "Depth", "0")
}

// TestOneWriterWins lets many clients create a file that must not be there.
func TestOneWriterWins(t *testing.T) {
	t.Parallel()
	s := newServer(storetest.NewMem())
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		codes = make(map[int]int)
	)
	for range 20 {
		wait.Go(func() {
			w := s.serve(t, request(t, "PUT", "/file", "content", "If-None-Match", "*"))
			mu.Lock()
			defer mu.Unlock()
			codes[w.Code]++
		})
	}
	wait.Wait()
	if codes[201] != 1 || codes[412] != 19 {
		t.Errorf("statuses %v; want one 201 and 412 for all others", codes)
	}
}
