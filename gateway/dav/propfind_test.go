package dav_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/dav"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// answer is a multistatus as a client reads it.
type answer struct {
	XMLName   xml.Name `xml:"DAV: multistatus"`
	Responses []struct {
		Href      string `xml:"DAV: href"`
		Propstats []struct {
			Status string `xml:"DAV: status"`
			Prop   struct {
				Inner    string    `xml:",innerxml"`
				Type     *struct{} `xml:"DAV: resourcetype>collection"`
				Length   string    `xml:"DAV: getcontentlength"`
				Modified string    `xml:"DAV: getlastmodified"`
				ETag     string    `xml:"DAV: getetag"`
				Name     string    `xml:"DAV: displayname"`
			} `xml:"DAV: prop"`
		} `xml:"DAV: propstat"`
	} `xml:"DAV: response"`
}

func parse(t *testing.T, w *httptest.ResponseRecorder) answer {
	t.Helper()
	var a answer
	if err := xml.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Errorf("%v in %s", err, w.Body)
	}
	return a
}

// paths returns the decoded hrefs.
func (a answer) paths(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, r := range a.Responses {
		path, err := url.PathUnescape(r.Href)
		if err != nil {
			t.Errorf("href %q: %v", r.Href, err)
		}
		paths = append(paths, path)
	}
	return paths
}

func TestPropfindShowsOneLevel(t *testing.T) {
	t.Parallel()
	s := newServer(filled(t, "a/one", "a/b/two", "top"))
	for _, tt := range []struct {
		path, depth string
		want        []string
	}{
		{"/", "0", []string{"/dest/"}},
		{"", "1", []string{"/dest/", "/dest/a/", "/dest/top"}},
		{"/", "1", []string{"/dest/", "/dest/a/", "/dest/top"}},
		{"/a", "0", []string{"/dest/a/"}},
		{"/a", "1", []string{"/dest/a/", "/dest/a/b/", "/dest/a/one"}},
		{"/a/", "1", []string{"/dest/a/", "/dest/a/b/", "/dest/a/one"}},
		{"/a/b/two", "0", []string{"/dest/a/b/two"}},
		{"/a/b/two", "1", []string{"/dest/a/b/two"}},
	} {
		w := s.do(t, 207, "PROPFIND", tt.path, "", "Depth", tt.depth)
		got := parse(t, w).paths(t)
		if len(got) > 0 && got[0] != tt.want[0] {
			t.Errorf("Depth %s of %s begins with %s", tt.depth, tt.path, got[0])
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("Depth %s of %s shows %q; want %q", tt.depth, tt.path, got, tt.want)
		}
	}
	for _, path := range []string{"/absent", "/absent/", "/a/b/two/", "/a/absent/x"} {
		s.do(t, 404, "PROPFIND", path, "", "Depth", "0")
		s.do(t, 404, "PROPFIND", path, "", "Depth", "1")
	}
}

func TestDestinationWithoutDirectoryIsEmpty(t *testing.T) {
	t.Parallel()
	faulty := storetest.NewFaulty(t, filled(t))
	s := newServer(faulty)
	for _, depth := range []string{"0", "1"} {
		faulty.Plan(storetest.ReadDir, storetest.Fail(errAbsent))
		if got := parse(t, s.do(t, 207, "PROPFIND", "/", "", "Depth", depth)).paths(t); !slices.Equal(got, []string{"/dest/"}) {
			t.Errorf("Depth %s shows %q", depth, got)
		}
	}
}

func TestPropfindTellsWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	s := newServer(filled(t, "a/one.json"))
	const ask = `<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:x="urn:x"><d:prop><d:getlastmodified/><d:getcontentlength/><d:resourcetype/><x:color/><none xmlns=""/></d:prop></d:propfind>`
	a := parse(t, s.do(t, 207, "PROPFIND", "/a", ask, "Depth", "1"))
	if len(a.Responses) != 2 || len(a.Responses[1].Propstats) != 2 {
		t.Fatalf("%+v", a)
	}
	found, missing := a.Responses[1].Propstats[0], a.Responses[1].Propstats[1]
	if found.Status != "HTTP/1.1 200 OK" || found.Prop.Length != "10" || found.Prop.Type != nil || found.Prop.ETag != "" {
		t.Errorf("found %+v", found)
	}
	if _, err := http.ParseTime(found.Prop.Modified); err != nil || !strings.HasSuffix(found.Prop.Modified, "GMT") {
		t.Errorf("getlastmodified %q: %v", found.Prop.Modified, err)
	}
	if missing.Status != "HTTP/1.1 404 Not Found" || !strings.Contains(missing.Prop.Inner, `x:color xmlns:x="urn:x"`) || !strings.Contains(missing.Prop.Inner, `<none xmlns=""/>`) {
		t.Errorf("missing %+v", missing)
	}
	if dir := a.Responses[0].Propstats; dir[0].Prop.Type == nil || !strings.Contains(dir[1].Prop.Inner, "getcontentlength") {
		t.Errorf("of the directory %+v", dir)
	}
	for _, body := range []string{
		"", `<propfind xmlns="DAV:"><allprop/></propfind>`, `<propfind xmlns="DAV:"><allprop/><include><x xmlns="urn:x"/></include></propfind>`,
	} {
		all := parse(t, s.do(t, 207, "PROPFIND", "/a/one.json", body, "Depth", "0")).Responses[0].Propstats
		if len(all) != 1 || all[0].Prop.ETag == "" || all[0].Prop.Name != "one.json" || all[0].Prop.Length != "10" {
			t.Errorf("%s: %+v", body, all)
		}
	}
	names := s.do(t, 207, "PROPFIND", "/a/one.json", `<propfind xmlns="DAV:"><propname/></propfind>`, "Depth", "0").Body.String()
	if !strings.Contains(names, "<D:getetag/>") || !strings.Contains(names, "<D:getcontentlength/>") || strings.Contains(names, ">10<") {
		t.Errorf("names alone: %s", names)
	}
}

// TestNamesSurvive is the way of a name through a listing and back.
func TestNamesSurvive(t *testing.T) {
	t.Parallel()
	names := []string{
		"plain", "with space", "100%", "%41", "a#b", "q?uery", `"quoted"`, "it's", "<tag>&amp;", "täglich", "日本", "semi;colon",
		"plus+", "a=b&c", "tab\there", "line\r\nX-Injected: yes", "\x01control", "~tilde", "back\\slash", "(1)!*", "*",
	}
	store := storetest.NewMem()
	for _, name := range names {
		if err := store.Put(t.Context(), "dir/"+name, 1, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	s := newServer(store)
	w := s.do(t, 207, "PROPFIND", "/dir/", "", "Depth", "1")
	got := parse(t, w).paths(t)
	for _, name := range names {
		if !slices.Contains(got, "/dest/dir/"+name) {
			t.Errorf("%q is not shown in %q", name, got)
		}
	}
	for _, r := range parse(t, w).Responses {
		if strings.ContainsAny(r.Href, " \r\n\t\"'<>&#?") {
			t.Errorf("href %q is not encoded", r.Href)
		}
		get := httptest.NewRequestWithContext(t.Context(), "GET", r.Href, nil)
		get.Header.Set("Depth", "0")
		if code := s.serve(t, get).Code; code != 200 {
			t.Errorf("GET %s answers %d", r.Href, code)
		}
	}
	for line := range strings.Lines(s.do(t, 200, "GET", "/dir", "").Body.String()) {
		name, err := url.PathUnescape(strings.TrimSuffix(line, "\n"))
		if err != nil || !slices.Contains(names, name) {
			t.Errorf("the index holds %q, %v", line, err)
		}
	}
}

func TestWholeTreesAreNotListed(t *testing.T) {
	t.Parallel()
	s := newServer(filled(t, "a/b"))
	for _, depth := range []string{"infinity", "Infinity", ""} {
		s.do(t, 403, "PROPFIND", "/", "", "Depth", depth)
	}
	for _, depth := range []string{"2", "-1", "1,noroot", "0x0"} {
		s.do(t, 400, "PROPFIND", "/", "", "Depth", depth)
	}
}

// TestBadXML is each way in which a body of XML can be meant badly.
func TestBadXML(t *testing.T) {
	t.Parallel()
	s := newServer(filled(t, "a/b"))
	open := `<propfind xmlns="DAV:"><prop>`
	for name, tt := range map[string]struct {
		body string
		want int
	}{
		"a billion laughs":       {`<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><propfind xmlns="DAV:"><prop>&b;</prop></propfind>`, 400},
		"an external entity":     {`<!DOCTYPE x SYSTEM "file:///etc/passwd"><propfind xmlns="DAV:"><allprop/></propfind>`, 400},
		"an entity not declared": {open + `&a;</prop></propfind>`, 400},
		"nested deeply":          {open + strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000) + `</prop></propfind>`, 400},
		"nested, never closed":   {strings.Repeat("<a>", 10000), 400},
		"too large":              {open + strings.Repeat("<resourcetype/>", 10000) + `</prop></propfind>`, 413},
		"too large in a comment": {`<!--` + strings.Repeat("x", 70<<10) + `-->`, 413},
		"too many names":         {open + strings.Repeat("<a/>", 65) + `</prop></propfind>`, 400},
		"a long name":            {open + "<" + strings.Repeat("a", 300) + `/></prop></propfind>`, 400},
		"another document":       {`<propertyupdate xmlns="DAV:"/>`, 400},
		"no namespace":           {`<propfind><allprop/></propfind>`, 400},
		"two questions":          {`<propfind xmlns="DAV:"><allprop/><propname/></propfind>`, 400},
		"no question":            {`<propfind xmlns="DAV:"/>`, 400},
		"two documents":          {`<propfind xmlns="DAV:"><allprop/></propfind><propfind xmlns="DAV:"/>`, 400},
		"another encoding":       {`<?xml version="1.0" encoding="utf-16"?><propfind xmlns="DAV:"><allprop/></propfind>`, 400},
		"no XML":                 {"\x00\x01\x02", 400},
		"cut off":                {open + `<resourcetype/>`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, depth := range []string{"0", "1"} {
				w := s.do(t, tt.want, "PROPFIND", "/a", tt.body, "Depth", depth)
				if strings.Contains(w.Body.String(), "multistatus") {
					t.Errorf("answers %s", w.Body)
				}
			}
		})
	}
}

// endless is a body that is said to have 140 MB; whoever reads on fails.
type endless struct {
	t    *testing.T
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read += len(p); e.read > 256<<10 {
		e.t.Errorf("%d bytes were read", e.read)
	}
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestHugeBodyIsNotRead(t *testing.T) {
	t.Parallel()
	s := newServer(filled(t))
	for _, length := range []int64{140 << 20, -1} {
		body := &endless{t: t}
		r := httptest.NewRequestWithContext(t.Context(), "PROPFIND", prefix+"/", body)
		r.ContentLength = length
		r.Header.Set("Depth", "0")
		if w := s.serve(t, r); w.Code != 413 || length > 0 && body.read > 0 {
			t.Errorf("length %d: %d after %d bytes", length, w.Code, body.read)
		}
	}
}

var errBackend = errors.New("the backend failed")

// TestListingThatBreaksOffIsNeverComplete looks at a listing that fails in its
// middle, of few and of many entries.
func TestListingThatBreaksOffIsNeverComplete(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 500 {
		names = append(names, fmt.Sprintf("dir/%0100d", i))
	}
	for _, after := range []int64{0, 1, 3, 400} {
		for _, cause := range []error{errBackend, errAbsent} {
			if after == 0 && errors.Is(cause, errAbsent) {
				continue // is an absence
			}
			faulty := storetest.NewFaulty(t, filled(t, names...))
			faulty.Plan(storetest.ReadDir, storetest.FailAfter(after, cause))
			w := newServer(faulty).serve(t, request(t, "PROPFIND", "/dir", "", "Depth", "1"))
			if strings.Contains(w.Body.String(), "</D:multistatus>") || w.Code == 207 && w.Header().Get("X-Broken-Off") == "" {
				t.Errorf("after %d entries %v: %d, %d bytes", after, cause, w.Code, w.Body.Len())
			}
			if w.Code != 207 && w.Code != 502 {
				t.Errorf("after %d entries %v: %d", after, cause, w.Code)
			}
		}
	}
}

// TestSlowListingSaysSomething looks at what a client hears of a storage that lists
// for minutes.
func TestSlowListingSaysSomething(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := slow{filled(t, "dir/a", "dir/b", "dir/c"), time.Minute}
		w := newServer(store).do(t, 207, "PROPFIND", "/dir", "", "Depth", "1")
		if !w.Flushed {
			t.Error("nothing was sent while the storage was listed")
		}
		if got := parse(t, w).paths(t); len(got) != 4 {
			t.Errorf("it shows %q", got)
		}
	})
}

func TestNamesInTheIndexOfNothing(t *testing.T) {
	t.Parallel()
	s := newServer(dav.Roots{"b6f0639c-4276-5b7b-8752-eda8eda282db", "76d73f29-7446-5baf-a700-3ad39be75475"})
	if got := s.do(t, 200, "GET", "/", "").Body.String(); got != "b6f0639c-4276-5b7b-8752-eda8eda282db/\n76d73f29-7446-5baf-a700-3ad39be75475/\n" {
		t.Errorf("the index of the roots is %q", got)
	}
	if got := parse(t, s.do(t, 207, "PROPFIND", "/", "", "Depth", "1")).paths(t); len(got) != 3 {
		t.Errorf("the roots are %q", got)
	}
	if w := s.do(t, 200, "HEAD", "/", ""); w.Body.Len() > 0 {
		t.Errorf("HEAD has the body %s", w.Body)
	}
}
