package b2test

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the hash of the API
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const bucketID = "4a48fe8875c6214145260818"

// caller makes calls of the API.
type caller struct {
	s     *Server
	token string
}

func newCaller(t *testing.T) *caller {
	t.Helper()
	c := &caller{s: New(Account{KeyID: "0012a34b56c78d90000000001", Key: "key", Bucket: "my-bucket"})}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/b2api/v4/b2_authorize_account", nil)
	r.SetBasicAuth("0012a34b56c78d90000000001", "key")
	answer := c.do(t, r, http.StatusOK)
	c.token, _ = answer["authorizationToken"].(string)
	return c
}

func (c *caller) do(t *testing.T, r *http.Request, want int) map[string]any {
	t.Helper()
	w := httptest.NewRecorder()
	c.s.ServeHTTP(w, r)
	if w.Code != want {
		t.Errorf("%s = %d, want %d: %s", r.URL, w.Code, want, w.Body)
	}
	var answer map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &answer) // a download is no JSON
	return answer
}

func (c *caller) call(t *testing.T, want int, name string, params map[string]any) map[string]any {
	t.Helper()
	body, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/b2api/v4/"+name, bytes.NewReader(body))
	r.Header.Set("Authorization", c.token)
	return c.do(t, r, want)
}

func (c *caller) upload(t *testing.T, want int, name, content, hash string) map[string]any {
	t.Helper()
	place := c.call(t, http.StatusOK, "b2_get_upload_url", map[string]any{"bucketId": bucketID})
	to, _ := place["uploadUrl"].(string)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(content))
	token, _ := place["authorizationToken"].(string)
	r.Header.Set("Authorization", token)
	r.Header.Set("X-Bz-File-Name", name)
	r.Header.Set("X-Bz-Content-Sha1", hash)
	return c.do(t, r, want)
}

func hashOf(content string) string {
	sum := sha1.Sum([]byte(content)) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

// listed returns the names of a list with their actions, and where it continues.
func listed(answer map[string]any) (names []string, next any) {
	files, _ := answer["files"].([]any)
	for _, f := range files {
		file, _ := f.(map[string]any)
		name, _ := file["fileName"].(string)
		action, _ := file["action"].(string)
		names = append(names, name+" "+action)
	}
	return names, answer["nextFileName"]
}

func TestFilesAreListedWithFoldersInPages(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	for _, name := range []string{"a/x/1", "a/x/2", "a/y", "b", "a/w"} {
		c.upload(t, http.StatusOK, name, name, hashOf(name))
	}
	for _, tt := range []struct {
		name   string
		params map[string]any
		want   []string
		next   any
	}{
		{"all", map[string]any{}, []string{"a/w upload", "a/x/1 upload", "a/x/2 upload", "a/y upload", "b upload"}, nil},
		{"a folder", map[string]any{"prefix": "a/", "delimiter": "/"}, []string{"a/w upload", "a/x/ folder", "a/y upload"}, nil},
		{"a page that ends at a folder", map[string]any{"prefix": "a/", "delimiter": "/", "maxFileCount": 1}, []string{"a/w upload"}, "a/x/"},
		{"the next page", map[string]any{"prefix": "a/", "delimiter": "/", "maxFileCount": 1, "startFileName": "a/x/"}, []string{"a/x/ folder"}, "a/y"},
	} {
		tt.params["bucketId"] = bucketID
		names, next := listed(c.call(t, http.StatusOK, "b2_list_file_names", tt.params))
		if !slices.Equal(names, tt.want) || next != tt.next {
			t.Errorf("%s: %q, then %v; want %q, then %v", tt.name, names, next, tt.want, tt.next)
		}
	}
}

func TestHiddenFilesAreInTheListOfVersionsAlone(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	in := func(more map[string]any) map[string]any { more["bucketId"] = bucketID; return more }
	c.upload(t, http.StatusOK, "a", "old", hashOf("old"))
	c.upload(t, http.StatusOK, "a", "new"+hashOf("new"), "hex_digits_at_end")
	mark := c.call(t, http.StatusOK, "b2_hide_file", in(map[string]any{"fileName": "a"}))
	c.call(t, http.StatusBadRequest, "b2_hide_file", in(map[string]any{"fileName": "a"}))
	if names, _ := listed(c.call(t, http.StatusOK, "b2_list_file_names", in(map[string]any{}))); len(names) > 0 {
		t.Errorf("listed: %q", names)
	}
	first, next := listed(c.call(t, http.StatusOK, "b2_list_file_versions", in(map[string]any{"maxFileCount": 2})))
	if !slices.Equal(first, []string{"a hide", "a upload"}) || next != "a" {
		t.Errorf("versions: %q, then %v", first, next)
	}
	c.call(t, http.StatusOK, "b2_delete_file_version", map[string]any{"fileName": "a", "fileId": mark["fileId"]})
	c.call(t, http.StatusBadRequest, "b2_delete_file_version", map[string]any{"fileName": "a", "fileId": mark["fileId"]})

	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/file/my-bucket/a", nil)
	r.Header.Set("Authorization", c.token)
	r.Header.Set("Range", "bytes=1-")
	w := httptest.NewRecorder()
	c.s.ServeHTTP(w, r)
	if w.Code != http.StatusPartialContent || w.Body.String() != "ew" || w.Header().Get("X-Bz-Content-Sha1") != hashOf("new") {
		t.Errorf("%d %s, %v", w.Code, w.Body, w.Header())
	}
}

func TestWhatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	c.upload(t, http.StatusBadRequest, "a", "content", hashOf("other"))
	c.upload(t, http.StatusBadRequest, "a", "short", "hex_digits_at_end")
	c.upload(t, http.StatusBadRequest, "/a", "content", hashOf("content"))
	c.call(t, http.StatusBadRequest, "b2_list_file_names", map[string]any{"bucketId": "another"})
	c.call(t, http.StatusUnauthorized, "b2_list_buckets", map[string]any{"accountId": c.s.accountID()})
	c.call(t, http.StatusNotFound, "b2_get_file_info", map[string]any{"fileId": "none"})
	c.token = "wrong"
	c.call(t, http.StatusUnauthorized, "b2_list_file_names", map[string]any{"bucketId": bucketID})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/b2api/v4/b2_authorize_account", nil)
	r.SetBasicAuth("0012a34b56c78d90000000001", "wrong")
	c.do(t, r, http.StatusUnauthorized)
}
