// Package b2test stands in for Backblaze B2, of which no server exists to run: the calls
// of its native API that rclone and restic make, as Backblaze documents them, in memory.
// It holds one bucket and lets one application key in, which is restricted to it.
package b2test

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The names of the service: all of them lead to the same server.
const (
	APIHost      = "api.backblazeb2.com"
	clusterHost  = "api001.backblazeb2.com"
	downloadHost = "f001.backblazeb2.com"
	uploadHost   = "pod-000-1001-01.backblaze.com"
)

// Hosts are the names by which clients come to a server that has no URL of its own.
var Hosts = []string{APIHost, clusterHost, downloadHost, uploadHost}

// Account is who may come, and to which bucket.
type Account struct {
	KeyID, Key string
	Bucket     string
	// Lacks are capabilities that the key does not have, such as deleteFiles.
	Lacks []string
	// URL leads to the server, where it is not reached by the service's own names.
	URL string
}

// New returns the service with an empty bucket.
func New(account Account) *Server {
	s := &Server{account: account, token: rand.Text(), bucketID: "4a48fe8875c6214145260818"}
	s.calls = map[string]call{
		"b2_list_buckets":        s.listBuckets,
		"b2_list_file_names":     s.listFileNames,
		"b2_list_file_versions":  s.listFileVersions,
		"b2_get_upload_url":      s.getUploadURL,
		"b2_get_file_info":       s.getFileInfo,
		"b2_hide_file":           s.hideFile,
		"b2_copy_file":           s.copyFile,
		"b2_delete_file_version": s.deleteFileVersion,
	}
	return s
}

// Server is the service, an http.Handler.
type Server struct {
	account         Account
	token, bucketID string
	calls           map[string]call

	mu sync.Mutex
	// versions are sorted by name, and the newest of a name is its first.
	versions []*version
	last     int64 // the time of the newest, in milliseconds
}

// A call answers a call of the API.
type call func(request) (any, error)

// request is a call's parameters, of which each call reads its own.
type request struct {
	AccountID     string `json:"accountId"`
	BucketID      string `json:"bucketId"`
	BucketName    string `json:"bucketName"`
	FileID        string `json:"fileId"`
	FileName      string `json:"fileName"`
	StartFileName string `json:"startFileName"`
	StartFileID   string `json:"startFileId"`
	MaxFileCount  int    `json:"maxFileCount"`
	Prefix        string `json:"prefix"`
	Delimiter     string `json:"delimiter"`

	// Of b2_copy_file.
	SourceFileID      string            `json:"sourceFileId"`
	MetadataDirective string            `json:"metadataDirective"`
	ContentType       string            `json:"contentType"`
	FileInfo          map[string]string `json:"fileInfo"`
}

// version is a version of a file: its content, or a mark that hides the older ones.
type version struct {
	ID          string            `json:"fileId"`
	Name        string            `json:"fileName"`
	Action      string            `json:"action"`
	AccountID   string            `json:"accountId"`
	BucketID    string            `json:"bucketId"`
	Length      int64             `json:"contentLength"`
	Size        int64             `json:"size"` // as the first version of the API calls it
	SHA1        *string           `json:"contentSha1"`
	ContentType string            `json:"contentType"`
	Info        map[string]string `json:"fileInfo"`
	Time        int64             `json:"uploadTimestamp"`

	content []byte
}

// The actions of versions.
const (
	actionUpload = "upload"
	actionHide   = "hide"
	actionFolder = "folder" // in lists
)

// failure is an error as the API words it.
type failure struct {
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (f *failure) Error() string { return f.Code + ": " + f.Message }

func badRequest(code, format string, args ...any) error {
	return &failure{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

var (
	errNoSuchFile   = &failure{http.StatusNotFound, "not_found", "File with such name does not exist."}
	errUnauthorized = &failure{http.StatusUnauthorized, "unauthorized", ""}
	errBadToken     = &failure{http.StatusUnauthorized, "bad_auth_token", "Invalid authorization token"}
)

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := s.answer(w, r)
	f, known := errors.AsType[*failure](err)
	switch {
	case err == nil && answer == nil:
		return // what was downloaded is written
	case err == nil:
		writeJSON(w, http.StatusOK, answer)
	case known:
		writeJSON(w, f.Status, f)
	default:
		writeJSON(w, http.StatusBadRequest, badRequest("bad_request", "%v", err))
	}
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client may be gone
}

// answer finds out what is asked for. Both results are nil where it has written the
// answer.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) (any, error) {
	if name, found := strings.CutPrefix(r.URL.Path, "/file/"+s.account.Bucket+"/"); found {
		return nil, s.download(w, r, func(v *version) bool { return v.Name == name })
	}
	_, path, api := strings.Cut(r.URL.Path, "/b2api/")
	number, name, _ := strings.Cut(path, "/")
	switch {
	case !api:
		return nil, errNoSuchFile
	case name == "b2_authorize_account":
		return s.authorizeAccount(r, number)
	case strings.HasPrefix(name, "b2_upload_file/"):
		return s.upload(r)
	case name == "b2_download_file_by_id":
		return nil, s.download(w, r, func(v *version) bool { return v.ID == r.URL.Query().Get("fileId") })
	case s.calls[name] == nil:
		return nil, badRequest("bad_request", "no call %s", name)
	case r.Header.Get("Authorization") != s.token:
		return nil, errBadToken
	}
	var asked request
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	if asked.BucketID != "" && asked.BucketID != s.bucketID {
		return nil, badRequest("bad_bucket_id", "Bucket does not exist: %s", asked.BucketID)
	}
	if s.lacks(needs[name]) {
		return nil, errUnauthorized
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[name](asked)
}

// needs is the capability that each call takes.
var needs = map[string]string{
	"b2_list_buckets":        "listBuckets",
	"b2_list_file_names":     "listFiles",
	"b2_list_file_versions":  "listFiles",
	"b2_get_upload_url":      "writeFiles",
	"b2_get_file_info":       "readFiles",
	"b2_hide_file":           "writeFiles",
	"b2_copy_file":           "writeFiles",
	"b2_delete_file_version": "deleteFiles",
}

func (s *Server) lacks(capability string) bool { return slices.Contains(s.account.Lacks, capability) }

// url is where clients find one of the service's hosts.
func (s *Server) url(host string) string { return cmp.Or(s.account.URL, "https://"+host) }

// authorizeAccount answers in the form of every version of the API: they differ in
// where they say what the key may do.
func (s *Server) authorizeAccount(r *http.Request, number string) (any, error) {
	if id, key, _ := r.BasicAuth(); id != s.account.KeyID || key != s.account.Key {
		return nil, &failure{http.StatusUnauthorized, "unauthorized", "The applicationKeyId or applicationKey are wrong."}
	}
	capabilities := slices.DeleteFunc([]string{"listBuckets", "listFiles", "readFiles", "writeFiles", "deleteFiles"}, s.lacks)
	storage := map[string]any{
		"apiUrl": s.url(clusterHost), "downloadUrl": s.url(downloadHost),
		"absoluteMinimumPartSize": 5_000_000, "recommendedPartSize": 100_000_000,
	}
	answer := map[string]any{"accountId": s.accountID(), "authorizationToken": s.token}
	bucket := map[string]any{"bucketId": s.bucketID, "bucketName": s.account.Bucket, "namePrefix": nil, "capabilities": capabilities}
	switch number {
	case "v1", "v2":
		answer["allowed"] = bucket
		maps.Copy(answer, storage)
		return answer, nil
	case "v3":
		maps.Copy(storage, bucket)
	default:
		storage["allowed"] = map[string]any{
			"buckets": []map[string]string{{"id": s.bucketID, "name": s.account.Bucket}}, "capabilities": capabilities, "namePrefix": nil,
		}
	}
	answer["apiInfo"] = map[string]any{"storageApi": storage}
	return answer, nil
}

// accountID is within a key's ID, behind its three first digits.
func (s *Server) accountID() string {
	return s.account.KeyID[min(3, len(s.account.KeyID)):min(15, len(s.account.KeyID))]
}

// listBuckets demands that a restricted key names its bucket.
func (s *Server) listBuckets(r request) (any, error) {
	if r.AccountID != s.accountID() {
		return nil, badRequest("bad_request", "accountId is wrong")
	}
	if r.BucketID == "" && r.BucketName != s.account.Bucket {
		return nil, &failure{http.StatusUnauthorized, "unauthorized", "The key is restricted to another bucket."}
	}
	return map[string]any{"buckets": []map[string]any{{
		"accountId": r.AccountID, "bucketId": s.bucketID, "bucketName": s.account.Bucket, "bucketType": "allPrivate",
		"bucketInfo": map[string]string{}, "lifecycleRules": []string{}, "revision": 1,
	}}}, nil
}

func (s *Server) getUploadURL(request) (any, error) {
	return map[string]string{
		"bucketId": s.bucketID, "authorizationToken": s.uploadToken(),
		"uploadUrl": s.url(uploadHost) + "/b2api/v2/b2_upload_file/" + s.bucketID + "/" + rand.Text(),
	}, nil
}

// uploadToken is good for uploads, and for nothing else.
func (s *Server) uploadToken() string { return "upload-" + s.token }

func (s *Server) getFileInfo(r request) (any, error) {
	if v := s.find(func(v *version) bool { return v.ID == r.FileID }); v != nil {
		return v, nil
	}
	return nil, &failure{http.StatusNotFound, "no_such_file", "bad fileId: " + r.FileID}
}

func (s *Server) hideFile(r request) (any, error) {
	v := s.find(func(v *version) bool { return v.Name == r.FileName })
	switch {
	case v == nil:
		return nil, badRequest("no_such_file", "File not present: %s", r.FileName)
	case v.Action == actionHide:
		return nil, badRequest("already_hidden", "File already hidden: %s", r.FileName)
	}
	return s.add(&version{Name: r.FileName, Action: actionHide, ContentType: "application/x-bz-hide-marker"}), nil
}

// copyFile copies a whole file within the bucket, and its metadata unless others are
// given.
func (s *Server) copyFile(r request) (any, error) {
	from := s.find(func(v *version) bool { return v.ID == r.SourceFileID && v.Action == actionUpload })
	if from == nil {
		return nil, badRequest("file_not_present", "File not present: %s", r.SourceFileID)
	}
	to := *from
	to.Name = r.FileName
	if r.MetadataDirective == "REPLACE" {
		to.ContentType, to.Info = r.ContentType, r.FileInfo
	}
	return s.add(&to), nil
}

func (s *Server) deleteFileVersion(r request) (any, error) {
	i := slices.IndexFunc(s.versions, func(v *version) bool { return v.ID == r.FileID && v.Name == r.FileName })
	if i < 0 {
		return nil, badRequest("file_not_present", "File not present: %s %s", r.FileName, r.FileID)
	}
	s.versions = slices.Delete(s.versions, i, i+1)
	return map[string]string{"fileId": r.FileID, "fileName": r.FileName}, nil
}

// find returns the first version that is so, which is the newest of its name.
func (s *Server) find(so func(*version) bool) *version {
	if i := slices.IndexFunc(s.versions, so); i >= 0 {
		return s.versions[i]
	}
	return nil
}

// add makes a version the newest of its name.
func (s *Server) add(v *version) *version {
	s.last = max(s.last+1, time.Now().UnixMilli())
	v.ID, v.Time = "4_z"+s.bucketID+"_f"+rand.Text(), s.last
	v.AccountID, v.BucketID = s.accountID(), s.bucketID
	v.Length = int64(len(v.content))
	v.Size = v.Length
	i, _ := slices.BinarySearchFunc(s.versions, v.Name, func(v *version, name string) int { return strings.Compare(v.Name, name) })
	s.versions = slices.Insert(s.versions, i, v)
	return v
}
