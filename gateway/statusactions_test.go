package gateway

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/dashboard"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/page"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/statustest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// acting is a gateway whose pages may do something, with somebody logged in.
type acting struct {
	*administered
	cookie string
}

func newActing(t *testing.T) *acting {
	t.Helper()
	a := newWatched(t, statustest.World{Modules: 3, Destinations: 1, Days: 3}, func(o *Options) { o.StatusActions = true })
	// As "node add" gives it to a node where no NethServer 8 is.
	a.redis.Do("ACL", "SETUSER", "node/1", "~cluster/backup_plan/*", "&cluster/event/backup-schedule-changed", "+@write", "+publish")
	return &acting{a, a.logIn(t, statustest.Admin, redistest.Password(statustest.Admin))}
}

// act asks, and does what the page that was asked for has the browser send.
func (a *acting) act(t *testing.T, name string, ask url.Values, more ...string) (code int, body string) {
	t.Helper()
	asked := a.browse(dashboard.ActPath+"/"+name+"?"+ask.Encode(), a.cookie)
	if asked.Code != http.StatusOK {
		return asked.Code, asked.Body.String()
	}
	form := url.Values{}
	for _, field := range strings.Split(asked.Body.String(), `<input type="hidden" name="`)[1:] {
		key, rest, _ := strings.Cut(field, `" value="`)
		value, _, _ := strings.Cut(rest, `"`)
		form.Set(key, strings.ReplaceAll(value, "&amp;", "&"))
	}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	done := a.submit(dashboard.ActPath+"/"+name, a.cookie, form)
	return done.Code, done.Body.String()
}

// last is the last line of the audit log.
func (a *acting) last(t *testing.T) audit.Event {
	t.Helper()
	events, err := audit.Tail(a.gateway.opts.Audit.Path(), 1)
	if err != nil || len(events) != 1 {
		t.Fatalf("the audit log: %v, %d lines", err, len(events))
	}
	return events[0]
}

func TestActionsAreOffUnlessTheyAreTurnedOn(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{Modules: 1, Destinations: 1, Days: 2})
	cookie := a.logIn(t, statustest.Admin, redistest.Password(statustest.Admin))
	for _, path := range append([]string{dashboard.ActPath + "/run?schedule=1"}, pages...) {
		got := a.browse(path, cookie)
		if strings.HasPrefix(path, dashboard.ActPath+"/") && got.Code != http.StatusNotFound && got.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, got.Code)
		}
		if strings.Contains(got.Body.String(), dashboard.ActPath+"/") {
			t.Errorf("%s offers something to do", path)
		}
	}
	if got := a.submit(dashboard.ActPath+"/run", cookie, url.Values{"schedule": {"1"}}); got.Code < 400 {
		t.Errorf("a form is taken: %d", got.Code)
	}
}

func TestPagesAskBeforeTheyDoSomething(t *testing.T) {
	t.Parallel()
	a := newActing(t)
	for name, ask := range map[string]url.Values{
		"run": {"schedule": {"1"}}, "pause": {"schedule": {"1"}}, "resume": {"schedule": {"1"}},
		"check":   {"destination": {statustest.Destination(0)}},
		"restore": {"destination": {statustest.Destination(0)}, "repository": {statustest.Path(0)}},
	} {
		got := a.browse(dashboard.ActPath+"/"+name+"?"+ask.Encode(), a.cookie)
		if body := got.Body.String(); got.Code != http.StatusOK || !strings.Contains(body, `method="post"`) || !strings.Contains(body, "Do nothing") {
			t.Errorf("%s: %d, %s", name, got.Code, body)
		}
		if got := a.submit(dashboard.ActPath+"/"+name, a.cookie, ask); got.Code != http.StatusForbidden {
			t.Errorf("%s without the token of the session: %d", name, got.Code)
		}
		form := url.Values{"token": {"x"}}
		if got := a.submit(dashboard.ActPath+"/"+name, a.cookie, form, "Sec-Fetch-Site", "cross-site"); got.Code != http.StatusForbidden {
			t.Errorf("%s of another site: %d", name, got.Code)
		}
		if got := a.submit(dashboard.ActPath+"/"+name, "", ask); got.Code != http.StatusSeeOther {
			t.Errorf("%s without a session: %d", name, got.Code)
		}
		if got := a.browse(dashboard.ActPath+"/"+name+"?schedule=none&destination=none&repository=none", a.cookie); got.Code != http.StatusNotFound {
			t.Errorf("%s of what is not there: %d", name, got.Code)
		}
	}
	if n := a.redis.Do("EXISTS", catalog.RunRequestsKey("1"), catalog.PlanKey("1")); n != int64(0) {
		t.Errorf("something was done: %v", n)
	}
}

func TestRunIsAskedForOnThePage(t *testing.T) {
	t.Parallel()
	a := newActing(t)
	code, body := a.act(t, "run", url.Values{"schedule": {"1"}})
	if code != http.StatusOK || !strings.Contains(body, "The nodes are asked to begin") {
		t.Fatalf("%d: %s", code, body)
	}
	if asked, _ := a.redis.Do("HGET", catalog.RunRequestsKey("1"), "1").(string); !strings.Contains(asked, `"by":"`+statustest.Admin+`"`) {
		t.Errorf("Redis has %q", asked)
	}
	if e := a.last(t); e.What != "run" || e.Who != statustest.Admin || e.Object != "schedule 1" || e.Result != "ok" {
		t.Errorf("the audit log has %+v", e)
	}
}

func TestScheduleIsPausedAndResumedOnThePage(t *testing.T) {
	t.Parallel()
	a := newActing(t)
	if code, body := a.act(t, "pause", url.Values{"schedule": {"1"}}, "for", "24h"); code != http.StatusOK || !strings.Contains(body, "It is paused until") {
		t.Fatalf("%d: %s", code, body)
	}
	until, err := time.Parse(time.RFC3339, a.redis.Do("HGET", catalog.PlanKey("1"), "paused_until").(string))
	if left := time.Until(until); err != nil || left < 23*time.Hour || left > 25*time.Hour {
		t.Errorf("it is paused until %v (%v)", until, err)
	}
	if code, body := a.act(t, "resume", url.Values{"schedule": {"1"}}); code != http.StatusOK {
		t.Errorf("%d: %s", code, body)
	}
	if n := a.redis.Do("HLEN", catalog.PlanKey("1")); n != int64(0) {
		t.Errorf("%v fields are left of the pause", n)
	}
	a.redis.Do("ACL", "SETUSER", "node/1", "resetkeys", "%R~*", "~node/1/*")
	code, body := a.act(t, "pause", url.Values{"schedule": {"1"}})
	if code < 400 || !strings.Contains(body, "may not write that to Redis") {
		t.Errorf("where Redis refuses it: %d: %s", code, body)
	}
	if e := a.last(t); e.What != "pause" || e.Result == "ok" {
		t.Errorf("the audit log has %+v", e)
	}
}

func TestDestinationIsCheckedOnThePage(t *testing.T) {
	t.Parallel()
	a := newActing(t)
	code, body := a.act(t, "check", url.Values{"destination": {statustest.Destination(0)}})
	if code != http.StatusOK || !strings.Contains(body, "It works.") || !strings.Contains(body, "read: done") {
		t.Errorf("%d: %s", code, body)
	}
	if e := a.last(t); e.What != "check" || e.Destination != statustest.Destination(0) {
		t.Errorf("the audit log has %+v", e)
	}
}

func TestTrashIsRestoredOnThePage(t *testing.T) {
	t.Parallel()
	a := newActing(t)
	dir := a.redis.Do("HGET", catalog.DestinationKey(statustest.Destination(0)), "basepath").(string)
	name := filepath.Join(dir, filepath.FromSlash(statustest.Path(0)), "snapshots", digits64)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("a snapshot"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, body := a.send(http.MethodDelete, "/"+statustest.Destination(0)+"/"+statustest.Path(0)+"/snapshots/"+digits64); code != http.StatusOK {
		t.Fatalf("the deletion: %d: %s", code, body)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Fatalf("it is still there: %v", err)
	}
	ask := url.Values{"destination": {statustest.Destination(0)}, "repository": {statustest.Path(0)}}
	code, body := a.act(t, "restore", ask, "since", "1h")
	if code != http.StatusOK || !strings.Contains(body, "1 objects came back") {
		t.Errorf("%d: %s", code, body)
	}
	if _, err := os.Stat(name); err != nil {
		t.Errorf("it is not back: %v", err)
	}
	if e := a.last(t); e.What != "restore" || e.Repository != statustest.Path(0) {
		t.Errorf("the audit log has %+v", e)
	}
}

func TestWhatIsAcknowledgedNoLongerCounts(t *testing.T) {
	t.Parallel()
	a := newActing(t)
	body := a.browse(page.Base+"/attention", a.cookie).Body.String()
	_, rest, found := strings.Cut(body, dashboard.ActPath+"/acknowledge?attention=")
	id, _, _ := strings.Cut(rest, `"`)
	if !found {
		t.Fatalf("nothing can be acknowledged: %s", body)
	}
	before := verdictOf(a.browse(page.Base, a.cookie).Body.String())
	id, err := url.QueryUnescape(strings.ReplaceAll(id, "&amp;", "&"))
	if err != nil {
		t.Fatal(err)
	}
	if code, body := a.act(t, "acknowledge", url.Values{"attention": {id}}); code != http.StatusOK {
		t.Fatalf("%d: %s", code, body)
	}
	if after := verdictOf(a.browse(page.Base, a.cookie).Body.String()); after == before {
		t.Errorf("the verdict is still %q", after)
	}
	if body := a.browse(page.Base+"/attention", a.cookie).Body.String(); !strings.Contains(body, "Acknowledged by") {
		t.Errorf("nobody sees it: %s", body)
	}
}

// verdictOf is the first heading of the overview.
func verdictOf(body string) string {
	_, rest, _ := strings.Cut(body, "<h1")
	text, _, _ := strings.Cut(rest, "</h1>")
	return text
}

func TestPageShowsWhatRunsAndWhatItSaid(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{Modules: 2, Destinations: 1, Days: 2})
	cookie := a.logIn(t, statustest.Admin, redistest.Password(statustest.Admin))
	now := time.Now().UTC()
	module := statustest.Module(0).ID
	line := `{"run":"r1","schedule":"1","module":"` + module + `","kind":"backup","started":"` + now.Add(-time.Minute).Format(time.RFC3339) +
		`","updated":"` + now.Format(time.RFC3339) + `","percent":42.7,"bytes":1048576,"total":2097152,"line":"reading <files>"}`
	killed := strings.ReplaceAll(strings.ReplaceAll(line, now.Format(time.RFC3339), now.Add(-time.Hour).Format(time.RFC3339)), module, statustest.Module(1).ID)
	a.redis.Do("HSET", catalog.LiveRunsKey("1"), "1 "+module, line, "1 killed", killed, "1 broken", "{")
	for _, path := range []string{page.Base + "/runs", page.Base + "/runs/live"} {
		body := a.browse(path, cookie).Body.String()
		if !strings.Contains(body, "42 %") || !strings.Contains(body, "reading &lt;files&gt;") || strings.Count(body, "<progress") != 1 {
			t.Errorf("%s shows %s", path, body)
		}
	}
	if got := a.browse(page.Base+"/runs", cookie); !strings.Contains(got.Header().Get("Content-Security-Policy"), "script-src 'self'") || !strings.Contains(got.Body.String(), page.ScriptPath) {
		t.Errorf("the page of runs has no script: %v", got.Header())
	}
	if got := a.browse(page.ScriptPath, ""); got.Code != http.StatusOK {
		t.Errorf("the script: %d", got.Code)
	}
	if got := a.browse(page.Base+"/runs/live", ""); got.Code != http.StatusSeeOther {
		t.Errorf("without a session: %d", got.Code)
	}

	w := statustest.World{Modules: 2, Destinations: 1, Days: 2, Now: time.Now()}
	run := w.Runs(0, 0)[0]
	a.redis.Do("RPUSH", catalog.RunLogKey("1", run.ID, run.Module), "the database <does> not answer")
	got := a.browse(page.Base+"/runs/"+run.ID+"?schedule="+run.Schedule, cookie)
	if body := got.Body.String(); got.Code != http.StatusOK || !strings.Contains(body, "the database &lt;does&gt; not answer") || !strings.Contains(body, "is not kept") {
		t.Errorf("one run: %d, %s", got.Code, body)
	}
	if got := a.browse(page.Base+"/runs/none?schedule=1", cookie); got.Code != http.StatusNotFound {
		t.Errorf("a run that never was: %d", got.Code)
	}
}

// send sends a request of restic's as the node.
func (a *administered) send(method, path string) (int, string) {
	r := httptest.NewRequest(method, path, http.NoBody)
	r.RemoteAddr = here
	r.Header.Set("Accept", "application/vnd.x.restic.rest.v2")
	r.SetBasicAuth("node/1", redistest.Password("node/1"))
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}
