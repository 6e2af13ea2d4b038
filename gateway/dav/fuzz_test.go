package dav_test

import (
	"encoding/xml"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzPropfind asks anything: the answer is well-formed XML, or a refusal of the
// caller.
func FuzzPropfind(f *testing.F) {
	for _, body := range []string{
		"", `<propfind xmlns="DAV:"><allprop/></propfind>`, `<propfind xmlns="DAV:"><propname/></propfind>`,
		`<d:propfind xmlns:d="DAV:" xmlns:x='a&amp;"b'><d:prop><x:y/><d:getetag/><none xmlns=""/></d:prop></d:propfind>`,
		`<!DOCTYPE a [<!ENTITY b "c">]><propfind xmlns="DAV:"><prop>&b;</prop></propfind>`, "<a><a><a>", "\xff\xfe",
	} {
		f.Add(body, "1")
		f.Add(body, "0")
	}
	f.Fuzz(func(t *testing.T, body, depth string) {
		s := newServer(filled(t, "a/b", "a/c d"))
		r := httptest.NewRequestWithContext(t.Context(), "PROPFIND", prefix+"/a", strings.NewReader(body))
		r.Header["Depth"] = []string{depth}
		w := s.serve(t, r)
		switch w.Code {
		case 207:
			var answer struct {
				XMLName xml.Name
				Inner   []byte `xml:",innerxml"`
			}
			if err := xml.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.XMLName.Local != "multistatus" {
				t.Errorf("%q: %v in %s", body, err, w.Body)
			}
		case 400, 403, 413:
		default:
			t.Errorf("%q, Depth %q: %d", body, depth, w.Code)
		}
	})
}
