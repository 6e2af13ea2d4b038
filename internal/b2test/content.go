package b2test

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the hash of the API
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// infoPrefix begins the headers that carry a file's own information.
const infoPrefix = "X-Bz-Info-"

// upload takes a file whose hash is that of the header, or of its last 40 bytes.
func (s *Server) upload(r *http.Request) (any, error) {
	if r.Header.Get("Authorization") != s.uploadToken() {
		return nil, errBadToken
	}
	name, err := url.PathUnescape(r.Header.Get("X-Bz-File-Name"))
	if err != nil || name == "" || strings.HasPrefix(name, "/") || strings.Contains(name, "//") {
		return nil, badRequest("bad_request", "Bad file name: %s", r.Header.Get("X-Bz-File-Name"))
	}
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("the upload broke off: %w", err)
	}
	want := r.Header.Get("X-Bz-Content-Sha1")
	if want == "hex_digits_at_end" {
		if len(content) < hex.EncodedLen(sha1.Size) {
			return nil, errors.New("no hash behind the content")
		}
		end := len(content) - hex.EncodedLen(sha1.Size)
		content, want = content[:end], string(content[end:])
	}
	hash := sha1.Sum(content) //nolint:gosec // as above
	if got := hex.EncodeToString(hash[:]); got != want {
		return nil, badRequest("bad_request", "Checksum did not match data received")
	}
	v := &version{Name: name, Action: actionUpload, SHA1: &want, ContentType: r.Header.Get("Content-Type"), Info: map[string]string{}, content: content}
	for header := range r.Header {
		if key, found := strings.CutPrefix(header, infoPrefix); found {
			v.Info[strings.ToLower(key)] = r.Header.Get(header)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(v), nil
}

// download sends the newest version that is meant, or the range of it that is asked for.
func (s *Server) download(w http.ResponseWriter, r *http.Request, meant func(*version) bool) error {
	if r.Header.Get("Authorization") != s.token {
		return errBadToken
	}
	if s.lacks("readFiles") {
		return errUnauthorized
	}
	s.mu.Lock()
	v := s.find(meant)
	s.mu.Unlock()
	if v == nil || v.Action != actionUpload {
		return errNoSuchFile
	}
	h := w.Header()
	h.Set("Content-Type", v.ContentType)
	h.Set("X-Bz-File-Id", v.ID)
	h.Set("X-Bz-File-Name", url.PathEscape(v.Name))
	h.Set("X-Bz-Content-Sha1", *v.SHA1)
	h.Set("X-Bz-Upload-Timestamp", strconv.FormatInt(v.Time, 10))
	for key, value := range v.Info {
		h.Set(infoPrefix+key, value)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(v.content))
	return nil
}
