package googletest

import (
	"bytes"
	"cmp"
	"crypto/md5" //nolint:gosec // one of the hashes that Drive tells
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	rootID     = "0AK-root"
	folderType = "application/vnd.google-apps.folder"
)

// file is a file or a folder. Names need not be unique, in one folder neither.
type file struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	MimeType string   `json:"mimeType"`
	Parents  []string `json:"parents"`
	Trashed  bool     `json:"trashed"`
	Created  string   `json:"createdTime"`
	Modified string   `json:"modifiedTime"`
	Size     string   `json:"size,omitempty"`
	MD5      string   `json:"md5Checksum,omitempty"`
	SHA256   string   `json:"sha256Checksum,omitempty"`

	content []byte
}

func (s *Server) about(http.ResponseWriter, *http.Request) (any, error) {
	used := 0
	for _, f := range s.files {
		used += len(f.content)
	}
	return map[string]any{"storageQuota": map[string]string{
		"limit": strconv.Itoa(15 << 30), "usage": strconv.Itoa(used), "usageInDrive": strconv.Itoa(used), "usageInDriveTrash": "0",
	}}, nil
}

// The terms of a query, of which "and" makes one.
var (
	parentTerm = regexp.MustCompile(`'([^']*)' in parents`)
	nameTerm   = regexp.MustCompile(`name='((?:[^'\\]|\\.)*)'`)
	typeTerm   = regexp.MustCompile(`mimeType(!?=)'([^']*)'`)
	unescape   = strings.NewReplacer(`\'`, `'`, `\\`, `\`)
)

// list finds what matches every term of the query; of alternatives in brackets, one.
func (s *Server) list(_ http.ResponseWriter, r *http.Request) (any, error) {
	found := []*file{}
	for _, f := range s.files {
		matches := true
		for term := range strings.SplitSeq(r.FormValue("q"), " and ") {
			matches = matches && slices.ContainsFunc(strings.Split(strings.Trim(term, "()"), " or "), f.matches)
		}
		if matches {
			found = append(found, f)
		}
	}
	first, _ := strconv.Atoi(r.FormValue("pageToken"))
	end := len(found)
	if size, err := strconv.Atoi(cmp.Or(r.FormValue("pageSize"), "100")); err == nil {
		end = min(end, first+size)
	}
	answer := map[string]any{"files": found[first:end], "incompleteSearch": false}
	if end < len(found) {
		answer["nextPageToken"] = strconv.Itoa(end)
	}
	return answer, nil
}

func (f *file) matches(term string) bool {
	if m := parentTerm.FindStringSubmatch(term); m != nil {
		return slices.Contains(f.Parents, m[1])
	}
	if m := nameTerm.FindStringSubmatch(term); m != nil {
		return f.Name == unescape.Replace(m[1])
	}
	if m := typeTerm.FindStringSubmatch(term); m != nil {
		return (f.MimeType == m[2]) == (m[1] == "=")
	}
	return term == "trashed="+strconv.FormatBool(f.Trashed)
}

func (s *Server) find(r *http.Request) (*file, error) {
	id := r.PathValue("id")
	i := slices.IndexFunc(s.files, func(f *file) bool { return f.ID == id })
	if i < 0 {
		return nil, notFound(id)
	}
	return s.files[i], nil
}

// get tells about a file, or sends its content.
func (s *Server) get(w http.ResponseWriter, r *http.Request) (any, error) {
	if r.PathValue("id") == "root" { // this scope does not show it
		return nil, notFound("root")
	}
	f, err := s.find(r)
	if err != nil || r.FormValue("alt") != "media" {
		return f, err
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
	return nil, nil
}

// describe reads what a client says of a file into it.
func (f *file) describe(from io.Reader) error {
	if err := json.NewDecoder(from).Decode(f); err != nil {
		return invalid("Parse Error: %v", err)
	}
	for i, parent := range f.Parents {
		if parent == "root" {
			f.Parents[i] = rootID
		}
	}
	return nil
}

// add gives a new file its place.
func (s *Server) add(f *file) *file {
	s.made++
	now := time.Now().UTC().Format(time.RFC3339Nano)
	f.ID, f.Created, f.Modified = "1file"+strconv.Itoa(s.made), now, cmp.Or(f.Modified, now)
	if len(f.Parents) == 0 {
		f.Parents = []string{rootID}
	}
	s.files = append(s.files, f)
	return f
}

func (s *Server) makeFolder(_ http.ResponseWriter, r *http.Request) (any, error) {
	f := &file{}
	if err := f.describe(r.Body); err != nil {
		return nil, err
	}
	if f.MimeType != folderType {
		return nil, invalid("no content for %s", f.Name)
	}
	return s.add(f), nil
}

// change takes other names, places or times, and the trash.
func (s *Server) change(_ http.ResponseWriter, r *http.Request) (any, error) {
	f, err := s.find(r)
	if err != nil {
		return nil, err
	}
	for parent := range strings.SplitSeq(r.FormValue("removeParents"), ",") {
		f.Parents = slices.DeleteFunc(f.Parents, func(p string) bool { return p == parent })
	}
	if parent := r.URL.Query().Get("addParents"); parent != "" {
		f.Parents = append(f.Parents, parent)
	}
	return f, f.describe(r.Body)
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) (any, error) {
	f, err := s.find(r)
	if err != nil {
		return nil, err
	}
	s.files = slices.DeleteFunc(s.files, func(other *file) bool { return other == f })
	w.WriteHeader(http.StatusNoContent)
	return nil, nil
}

// upload takes a new file, or a new content of one, in one piece; a large one in pieces.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) (any, error) {
	f := &file{}
	if r.PathValue("id") != "" {
		var err error
		if f, err = s.find(r); err != nil {
			return nil, err
		}
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	query := r.URL.Query()
	switch {
	case query.Get("upload_id") != "":
		return s.piece(w, r)
	case err == nil && media == "application/json" && query.Get("uploadType") == "resumable":
		return s.begin(w, r, f)
	case err == nil && media == "multipart/related" && query.Get("uploadType") == "multipart":
		return s.whole(r, f, params["boundary"])
	default:
		return nil, invalid("an upload of type %s in %s", query.Get("uploadType"), media)
	}
}

// whole takes an upload in one piece.
func (s *Server) whole(r *http.Request, f *file, boundary string) (any, error) {
	described := *f
	parts := multipart.NewReader(r.Body, boundary)
	about, err := parts.NextPart()
	if err == nil {
		err = described.describe(about)
	}
	if err != nil {
		return nil, err
	}
	body, err := parts.NextPart()
	if err != nil {
		return nil, err
	}
	if described.content, err = io.ReadAll(body); err != nil {
		return nil, err
	}
	return s.keep(f, described, body.Header.Get("Content-Type")), nil
}

// pending is an upload of which not all pieces are there.
type pending struct {
	file      *file
	described file
	media     string
}

// begin says where the pieces of an upload go.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, f *file) (any, error) {
	p := &pending{file: f, described: *f, media: r.Header.Get("X-Upload-Content-Type")}
	if err := p.described.describe(r.Body); err != nil {
		return nil, err
	}
	p.described.content = nil
	id := rand.Text()
	s.pending[id] = p
	w.Header().Set("Location", "https://"+r.Host+r.URL.Path+"?uploadType=resumable&upload_id="+id)
	w.WriteHeader(http.StatusOK)
	return nil, nil
}

// piece takes the next piece of an upload, of which the last one completes it.
func (s *Server) piece(w http.ResponseWriter, r *http.Request) (any, error) {
	id := r.URL.Query().Get("upload_id")
	p := s.pending[id]
	if p == nil {
		return nil, notFound(id)
	}
	var first, last, total int
	ranges := r.Header.Get("Content-Range")
	if _, err := fmt.Sscanf(ranges, "bytes %d-%d/%d", &first, &last, &total); err != nil || first != len(p.described.content) {
		return nil, invalid("%q after %d bytes", ranges, len(p.described.content))
	}
	content, err := io.ReadAll(r.Body)
	if err != nil || len(content) != last-first+1 {
		return nil, invalid("%d bytes for %q", len(content), ranges)
	}
	p.described.content = append(p.described.content, content...)
	if last+1 < total {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", last))
		w.WriteHeader(http.StatusPermanentRedirect) // which means here: continue
		return nil, nil
	}
	delete(s.pending, id)
	return s.keep(p.file, p.described, p.media), nil
}

// keep makes f what was uploaded.
func (s *Server) keep(f *file, described file, media string) *file {
	described.MimeType = cmp.Or(described.MimeType, media)
	md, sha := md5.Sum(described.content), sha256.Sum256(described.content) //nolint:gosec // as above
	described.Size = strconv.Itoa(len(described.content))
	described.MD5, described.SHA256 = hex.EncodeToString(md[:]), hex.EncodeToString(sha[:])
	*f = described
	if f.ID == "" {
		s.add(f)
	}
	return f
}
