package gateway

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/dashboard"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/page"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/statustest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// browse sends a GET with a cookie, if there is one.
func (a *administered) browse(path, cookie string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.RemoteAddr = here
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: dashboard.SessionCookie, Value: cookie})
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

// submit sends a form as a page of this gateway does, or with another header.
func (a *administered) submit(path, cookie string, form url.Values, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.RemoteAddr = here
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: dashboard.SessionCookie, Value: cookie})
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

// logIn returns the cookie of a session.
func (a *administered) logIn(t *testing.T, user, password string) string {
	t.Helper()
	w := a.submit(dashboard.LoginPath, "", url.Values{"user": {user}, "password": {password}})
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || len(cookies) != 1 {
		t.Fatalf("the login of %s: %d, %d cookies", user, w.Code, len(cookies))
	}
	return cookies[0].Value
}

// pages are all pages in a world with a module and a destination.
var pages = []string{
	page.Base, page.Base + "/attention", page.Base + "/modules", page.Base + "/modules/" + statustest.Path(0), page.Base + "/destinations",
	page.Base + "/destinations/" + statustest.Destination(0), page.Base + "/runs", page.Base + "/runs?kind=check&outcome=done&schedule=1",
	page.Base + "/activity", page.Base + "/gateways",
}

// moves reports whether a page has the script that shows how far runs have come.
func moves(path string) bool { return strings.HasPrefix(path, page.Base+"/runs") }

func TestPagesAreForWhoIsLoggedIn(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{Modules: 4, Destinations: 2, Days: 30})
	cookie := a.logIn(t, statustest.Admin, redistest.Password(statustest.Admin))
	for _, path := range pages {
		got := a.browse(path, cookie)
		header := got.Header()
		if got.Code != http.StatusOK || header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(header.Get("Content-Security-Policy"), dashboard.Policy) {
			t.Errorf("%s: %d, %v", path, got.Code, header)
		}
		if body := got.Body.String(); !strings.HasSuffix(body, "</html>\n") || strings.Contains(body, "<script") != moves(path) || strings.Contains(body, "ZgotmplZ") {
			t.Errorf("%s is not whole, or has a script: %s", path, body)
		}
		if strings.Contains(header.Get("Content-Security-Policy"), "script-src") != moves(path) {
			t.Errorf("%s may run scripts: %s", path, header.Get("Content-Security-Policy"))
		}
		got = a.browse(path, "")
		if to := got.Header().Get("Location"); got.Code != http.StatusSeeOther || to != dashboard.LoginPath+"?next="+url.QueryEscape(path) {
			t.Errorf("%s without a session: %d, to %q", path, got.Code, to)
		}
	}
	for _, path := range []string{page.Base + "/modules/mail/none", page.Base + "/destinations/none", page.Base + "/nothing"} {
		if got := a.browse(path, cookie); got.Code != http.StatusNotFound && path != page.Base+"/nothing" {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	if got := a.browse(page.StylePath, ""); got.Code != http.StatusOK || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/css") {
		t.Errorf("the stylesheet: %d", got.Code)
	}
}

func TestLabelsAreShownAndNotRun(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{Modules: 4, Destinations: 1, Days: 3})
	cookie := a.logIn(t, statustest.Admin, redistest.Password(statustest.Admin))
	for _, path := range []string{page.Base, page.Base + "/modules", page.Base + "/modules/" + statustest.Path(3), page.Base + "/runs"} {
		body := a.browse(path, cookie).Body.String()
		if strings.Contains(body, statustest.Markup) || !strings.Contains(body, "&lt;b&gt;&#34;R&amp;D&#34;&lt;/b&gt;") {
			t.Errorf("%s does not escape a module's label", path)
		}
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{Modules: 1, Destinations: 1})
	module := "module/" + statustest.Module(0).ID
	for _, tt := range []struct {
		name, user, password string
		want                 int
		says                 string
	}{
		{"an administrator", statustest.Admin, redistest.Password(statustest.Admin), http.StatusSeeOther, ""},
		{"a node", "node/1", redistest.Password("node/1"), http.StatusSeeOther, ""},
		{"a module", module, redistest.Password(module), http.StatusForbidden, "may not look at this page"},
		{"a wrong password", statustest.Admin, "wrong", http.StatusForbidden, "do not fit"},
		{"somebody unknown", "admin/bob", "wrong", http.StatusForbidden, "do not fit"},
		{"nothing", "", "", http.StatusForbidden, "do not fit"},
	} {
		got := a.submit(dashboard.LoginPath, "", url.Values{"user": {tt.user}, "password": {tt.password}})
		if got.Code != tt.want || !strings.Contains(got.Body.String(), tt.says) {
			t.Errorf("%s: %d, want %d: %s", tt.name, got.Code, tt.want, got.Body)
		}
		for _, c := range got.Result().Cookies() {
			if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != page.Base {
				t.Errorf("%s: the cookie is %v", tt.name, c)
			}
		}
		if tt.want != http.StatusSeeOther && len(got.Result().Cookies()) > 0 {
			t.Errorf("%s gets a session", tt.name)
		}
	}
	events, err := audit.Tail(a.gateway.opts.Audit.Path(), 100)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, e := range events {
		told[e.Who] = e.What
	}
	if told["node/1"] != "login" || told["admin/bob"] != audit.Refused {
		t.Errorf("the audit log has %v", events)
	}
}

// TestAnAdministratorOfAMomentAgoLogsIn although somebody else was refused just before,
// and nothing announced the new one.
func TestAnAdministratorOfAMomentAgoLogsIn(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{})
	if got := a.submit(dashboard.LoginPath, "", url.Values{"user": {"admin/bob"}, "password": {"wrong"}}); got.Code != http.StatusForbidden {
		t.Fatalf("somebody unknown: %d", got.Code)
	}
	const carol = "admin/carol"
	a.redis.Do("ACL", "SETUSER", carol, "on", ">"+redistest.Password(carol))
	a.redis.SaveACLs()
	a.logIn(t, carol, redistest.Password(carol))
}

func TestLoginLeadsBackAndNowhereElse(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{})
	for next, want := range map[string]string{
		page.Base + "/runs?kind=check": page.Base + "/runs?kind=check", "": page.Base, "https://evil.example/": page.Base,
		"//evil.example/-/status": page.Base, `/\evil.example`: page.Base, "/-/statusx": page.Base, page.Base + "/../../x": page.Base,
	} {
		got := a.submit(dashboard.LoginPath, "", url.Values{"user": {"node/1"}, "password": {redistest.Password("node/1")}, "next": {next}})
		if to := got.Header().Get("Location"); to != want {
			t.Errorf("%q leads to %q", next, to)
		}
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{})
	login := url.Values{"user": {"node/1"}, "password": {redistest.Password("node/1")}}
	for name, header := range map[string][]string{
		"fetch metadata": {"Sec-Fetch-Site", "cross-site"}, "another port": {"Sec-Fetch-Site", "same-site"},
		"an older browser": {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
	} {
		if got := a.submit(dashboard.LoginPath, "", login, header...); got.Code != http.StatusForbidden || len(got.Result().Cookies()) > 0 {
			t.Errorf("%s: a login is %d", name, got.Code)
		}
	}
	cookie := a.logIn(t, "node/1", redistest.Password("node/1"))
	if got := a.submit(dashboard.LogoutPath, cookie, url.Values{"token": {"wrong"}}); got.Code != http.StatusForbidden {
		t.Errorf("a logout without its token: %d", got.Code)
	}
}

func TestLogoutEndsTheSession(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{})
	cookie := a.logIn(t, "node/1", redistest.Password("node/1"))
	body := a.browse(page.Base, cookie).Body.String()
	_, rest, _ := strings.Cut(body, `name="token" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	if got := a.submit(dashboard.LogoutPath, cookie, url.Values{"token": {token}}); got.Code != http.StatusSeeOther {
		t.Errorf("the logout: %d", got.Code)
	}
	if got := a.browse(page.Base, cookie); got.Code != http.StatusSeeOther {
		t.Errorf("the cookie still serves: %d", got.Code)
	}
}

func TestSessionEndsWhenThePasswordChanges(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{})
	cookie := a.logIn(t, statustest.Admin, redistest.Password(statustest.Admin))
	a.redis.Do("ACL", "SETUSER", statustest.Admin, "resetpass", ">another")
	a.redis.SaveACLs()
	if err := a.gateway.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := a.browse(page.Base, cookie); got.Code != http.StatusSeeOther {
		t.Errorf("the session of before: %d", got.Code)
	}
}

func TestPageOnTheAdministrativeSocketNeedsNoLogin(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{Modules: 1, Destinations: 1, Days: 2, Fine: true})
	handler := a.gateway.socketRoutes()
	for host, want := range map[string]int{"localhost": 200, "localhost:8080": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200, "evil.example": 403, "10.5.4.1": 403} {
		for _, path := range []string{page.Base, "/-/api/v1/overview"} {
			r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
			r.Host, r.RemoteAddr = host, "@"
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s of %s: %d, want %d", path, host, w.Code, want)
			}
		}
	}
}
