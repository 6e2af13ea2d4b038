package googletest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func do(t *testing.T, s *Server, r *http.Request, want int) map[string]any {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != want {
		t.Errorf("%s %s = %d, want %d: %s", r.Method, r.URL, w.Code, want, w.Body)
	}
	var answer map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &answer) // not all answers are JSON
	return answer
}

func tokenFor(t *testing.T, s *Server, form url.Values, want int) map[string]any {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, s, r, want)
}

// login returns an access token and the refresh token.
func login(t *testing.T, s *Server) (access, refresh string) {
	t.Helper()
	const back = "http://127.0.0.1:53682/"
	ask := url.Values{"redirect_uri": {back}, "response_type": {"code"}, "scope": {scope}, "access_type": {"offline"}, "state": {"x y"}}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/o/oauth2/auth?"+ask.Encode(), nil))
	to, err := url.Parse(w.Header().Get("Location"))
	if w.Code != http.StatusFound || err != nil || to.Host != "127.0.0.1:53682" || to.Query().Get("state") != "x y" {
		t.Fatalf("%d to %s, %v", w.Code, to, err)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {back}}
	answer := tokenFor(t, s, form, http.StatusOK)
	tokenFor(t, s, form, http.StatusBadRequest) // a code is good once
	access, _ = answer["access_token"].(string)
	refresh, _ = answer["refresh_token"].(string)
	return access, refresh
}

func TestTokensAreGivenForCodesAndForTheRefreshToken(t *testing.T) {
	t.Parallel()
	s := New()
	access, refresh := login(t, s)
	again := tokenFor(t, s, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}, http.StatusOK)
	if access == "" || again["access_token"] == access {
		t.Errorf("%q, then %v", access, again["access_token"])
	}
	tokenFor(t, s, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"wrong"}}, http.StatusBadRequest)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/drive/v3/about", nil)
	r.Header.Set("Authorization", "Bearer wrong")
	do(t, s, r, http.StatusUnauthorized)
}

func TestFilesAreFoundByWhatAQuerySays(t *testing.T) {
	t.Parallel()
	s := New()
	access, _ := login(t, s)
	call := func(method, path, body string, want int) map[string]any {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+access)
		return do(t, s, r, want)
	}
	folder := func(name, parent string) string {
		t.Helper()
		id, _ := call(http.MethodPost, "/drive/v3/files", `{"name":"`+name+`","mimeType":"`+folderType+`","parents":["`+parent+`"]}`, http.StatusOK)["id"].(string)
		return id
	}
	a := folder("a", "root")
	b, trashed := folder("it's b", a), folder("c", a)
	call(http.MethodPatch, "/drive/v3/files/"+trashed, `{"trashed":true}`, http.StatusOK)
	for query, want := range map[string]int{
		"trashed=false and ('" + a + "' in parents)":                                            1,
		"trashed=true and ('" + a + "' in parents or '" + b + "' in parents)":                   1,
		`trashed=false and (name='it\'s b')`:                                                    1,
		"name='a' and (mimeType='" + folderType + "' or mimeType='x')":                          1,
		"trashed=false and mimeType!='" + folderType + "'":                                      0,
		"trashed=false and ('" + rootID + "' in parents) and (name='it\\'s b' or name='other')": 0,
	} {
		files, _ := call(http.MethodGet, "/drive/v3/files?"+url.Values{"q": {query}}.Encode(), "", http.StatusOK)["files"].([]any)
		if len(files) != want {
			t.Errorf("%s: %d files, want %d", query, len(files), want)
		}
	}
	call(http.MethodDelete, "/drive/v3/files/"+b, "", http.StatusNoContent)
	call(http.MethodGet, "/drive/v3/files/"+b, "", http.StatusNotFound)
}
