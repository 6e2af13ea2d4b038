package dav

import (
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// Conditional reports whether a request has a condition that decides whether it
// may change something.
func Conditional(header http.Header) bool {
	for _, name := range []string{"If-Match", "If-None-Match", "If-Unmodified-Since", "If"} {
		if len(header[name]) > 0 {
			return true
		}
	}
	return false
}

// Check judges the conditions of a request that changes what info describes; a nil
// info stands for nothing there.
func Check(header http.Header, info fs.FileInfo) error {
	_, err := check(header, info, false)
	return err
}

// check judges conditions in the order of RFC 9110, section 13.2.2. For a request
// that only reads, unmodified says that the client has the same already.
func check(header http.Header, info fs.FileInfo, reads bool) (unmodified bool, err error) {
	if len(header["If"]) > 0 && !reads {
		// It names locks, of which there are none, or repeats what If-Match says.
		return false, fmt.Errorf("%w: If", refusal.ErrPrecondition)
	}
	tag := etag(info)
	if list := header["If-Match"]; len(list) > 0 {
		if info == nil || !matches(list, tag, true) {
			return false, fmt.Errorf("%w: If-Match", refusal.ErrPrecondition)
		}
	} else if since, ok := date(header, "If-Unmodified-Since", info); ok && modified(info).After(since) {
		return false, fmt.Errorf("%w: If-Unmodified-Since", refusal.ErrPrecondition)
	}
	if list := header["If-None-Match"]; len(list) > 0 {
		switch {
		case info == nil || !matches(list, tag, false):
			return false, nil
		case reads:
			return true, nil
		default:
			return false, fmt.Errorf("%w: If-None-Match", refusal.ErrPrecondition)
		}
	}
	since, ok := date(header, "If-Modified-Since", info)
	return reads && ok && !modified(info).After(since), nil
}

// date reads a date to compare with when a resource was modified. One that does not
// parse is ignored, as the RFC demands, and so are all where that is not known.
func date(header http.Header, name string, info fs.FileInfo) (when time.Time, ok bool) {
	value := header.Get(name)
	if value == "" || info == nil || info.ModTime().IsZero() {
		return when, false
	}
	when, err := http.ParseTime(value)
	return when, err == nil
}

// matches reports whether a list of entity tags holds tag; "*" holds whatever is
// there. Weak tags equal no strong one where the comparison is to be strong.
func matches(lines []string, tag string, strong bool) bool {
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			item = strings.TrimSpace(item)
			if item == "*" {
				return true
			}
			if !strong {
				item = strings.TrimPrefix(item, "W/")
			}
			if tag != "" && item == tag {
				return true
			}
		}
	}
	return false
}

// sameVersion reports whether If-Range, if there is one, names this version, so that a part of
// it can be sent.
func sameVersion(header http.Header, info fs.FileInfo) bool {
	value := header.Get("If-Range")
	if value == "" {
		return true
	}
	if strings.HasPrefix(value, `"`) {
		return value == etag(info)
	}
	when, err := http.ParseTime(value)
	return err == nil && !info.ModTime().IsZero() && modified(info).Equal(when)
}
