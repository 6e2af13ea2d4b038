package dav

import (
	"encoding/xml"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"time"
	"unicode/utf8"
)

// property is a property of WebDAV that is supported here.
type property uint8

const (
	propType property = iota
	propDisplayName
	propLength
	propModified
	propETag
	propContentType
	numProperties
)

var propertyNames = [numProperties]string{
	propType:        "resourcetype",
	propDisplayName: "displayname",
	propLength:      "getcontentlength",
	propModified:    "getlastmodified",
	propETag:        "getetag",
	propContentType: "getcontenttype",
}

func propertyOf(name xml.Name) (property, bool) {
	if name.Space != namespace {
		return 0, false
	}
	for p, local := range propertyNames {
		if local == name.Local {
			return property(p), true
		}
	}
	return 0, false
}

// has reports whether a resource has a property.
func has(p property, info fs.FileInfo) bool {
	switch p {
	case propLength, propContentType:
		return !info.IsDir()
	case propModified:
		return !info.ModTime().IsZero()
	case propETag:
		return !info.IsDir() && !info.ModTime().IsZero()
	}
	return true
}

// appendProperty appends a property of a resource.
func appendProperty(b []byte, p property, name string, info fs.FileInfo, namesOnly bool) []byte {
	local := propertyNames[p]
	if namesOnly || p == propType && !info.IsDir() {
		b = append(b, "<D:"...)
		b = append(b, local...)
		return append(b, "/>"...)
	}
	b = append(b, "<D:"...)
	b = append(b, local...)
	b = append(b, '>')
	switch p {
	case propType:
		b = append(b, "<D:collection/>"...)
	case propDisplayName:
		b = appendText(b, name)
	case propLength:
		b = strconv.AppendInt(b, info.Size(), 10)
	case propModified:
		b = info.ModTime().UTC().AppendFormat(b, http.TimeFormat)
	case propETag:
		b = appendETag(b, info)
	case propContentType:
		b = append(b, contentType(name)...)
	}
	b = append(b, "</D:"...)
	b = append(b, local...)
	return append(b, '>')
}

// appendETag appends the entity tag of a file: its modification time and its size.
func appendETag(b []byte, info fs.FileInfo) []byte {
	b = append(b, '"')
	b = strconv.AppendUint(b, uint64(info.ModTime().UnixNano()), 36) //nolint:gosec // any bits do
	b = append(b, '-')
	b = strconv.AppendInt(b, info.Size(), 36)
	return append(b, '"')
}

// etag returns the entity tag of a file; empty if there is none.
func etag(info fs.FileInfo) string {
	if info == nil || !has(propETag, info) {
		return ""
	}
	return string(appendETag(nil, info))
}

// contentType returns only types that no browser executes: stored content is not trusted,
// and must not run with the rights of the person who views it.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".json":
		return "application/json"
	case ".txt":
		return mime.FormatMediaType("text/plain", map[string]string{"charset": "utf-8"})
	}
	return "application/octet-stream"
}

// modified returns the modification time in whole seconds, the precision of headers.
func modified(info fs.FileInfo) time.Time { return info.ModTime().Truncate(time.Second) }

// appendPath appends a path with everything percent-encoded except the slashes and what RFC
// 3986 calls unreserved.
func appendPath(b []byte, name string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '/':
			b = append(b, c)
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

// appendText appends XML character data. Control characters and invalid UTF-8, which XML
// cannot express, become the replacement character.
func appendText(b []byte, text string) []byte {
	for _, r := range text {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '"':
			b = append(b, "&#34;"...)
		case r < ' ' || r == 0xFFFE || r == 0xFFFF:
			b = utf8.AppendRune(b, utf8.RuneError)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}
