package dav

import (
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// Conditional reports whether a request has a condition that decides whether it may change
// something.
func Conditional(header http.Header) bool {
	for _, name := range []string{"If-Match", "If-None-Match", "If-Unmodified-Since", "If"} {
		if len(header[name]) > 0 {
			return true
		}
	}
	return false
}

// Check evaluates the conditions of a request that changes the resource that info
// describes; nil stands for an absent resource.
func Check(header http.Header, info fs.FileInfo) error {
	_, err := check(header, info, false)
	return err
}

// check evaluates conditions in the order of RFC 9110, section 13.2.2. For a read request,
// unmodified says that the client already has this version.
func check(header http.Header, info fs.FileInfo, reads bool) (unmodified bool, err error) {
	if len(header["If"]) > 0 && !reads {
		// If either names locks, which do not exist here, or repeats If-Match.
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

// date parses a date to compare with a modification time. A malformed one is ignored, as
// the RFC demands, and so is any date if the time is unknown.
func date(header http.Header, name string, info fs.FileInfo) (when time.Time, ok bool) {
	value := header.Get(name)
	if value == "" || info == nil || info.ModTime().IsZero() {
		return when, false
	}
	when, err := http.ParseTime(value)
	return when, err == nil
}

// matches reports whether a list of entity tags contains tag; "*" matches any existing
// resource. In a strong comparison, weak tags match nothing.
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

// sameVersion reports whether If-Range, if present, names this version, so that a range of
// it may be sent.
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
