package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/page"
)

const (
	// LoginPath is the path of the login.
	LoginPath = page.Base + "/login"
	// LogoutPath is the path of the logout.
	LogoutPath = page.Base + "/logout"
	// SessionCookie is the session's cookie. It is limited to the pages.
	SessionCookie = "rclone_gateway_session"
	// maxForm bounds the size of a form, in bytes.
	maxForm = 16 << 10
)

// Policy limits pages to our own stylesheet. movingPolicy also allows our script, which
// polls for running tasks.
const Policy = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const movingPolicy = Policy + "; script-src 'self'; connect-src 'self'"

// addPages adds the pages.
func (r *routes) addPages(admit admitter) {
	r.look(page.StylePath, func(w *observe.Response, req *http.Request) error {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		return send(w, req, http.StatusOK, "text/css; charset=utf-8", page.Style)
	})
	r.look(page.ScriptPath, func(w *observe.Response, req *http.Request) error {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		return send(w, req, http.StatusOK, "text/javascript; charset=utf-8", page.Script)
	})
	r.look(page.Base+"/runs/live", func(w *observe.Response, req *http.Request) error {
		who, err := admit(w, req)
		if err != nil || who == nil {
			return turnAway(w, req, err)
		}
		return r.sendLive(w, req, who)
	})
	r.look(page.Base+"/modules/{app}/{uuid}/snapshots/{snapshot}/content", func(w *observe.Response, req *http.Request) error {
		who, err := admit(w, req)
		if err != nil || who == nil {
			return turnAway(w, req, err)
		}
		return r.download(w, req, who)
	})
	for path, show := range map[string]shown{
		"":                      {"Overview", "overview", nil},
		"/attention":            {"What needs attention", "attentions", nil},
		"/modules":              {"Modules", "modules", nil},
		"/modules/{app}/{uuid}": {"Module", "module", r.prepareModule},
		"/destinations":         {"Destinations", "destinations", nil},
		"/destinations/{id}":    {"Destination", "destination", prepareDestination},
		"/runs":                 {"Runs", "runspage", r.prepareRuns},
		"/runs/{id}":            {"One run", "run", r.prepareRun},
		"/modules/{app}/{uuid}/snapshots/{snapshot}": {"Files", "browse", r.prepareBrowse},
		"/activity": {"Activity", "activity", nil},
		"/gateways": {"Gateways", "gateways", nil},
	} {
		r.look(page.Base+path, func(w *observe.Response, req *http.Request) error {
			who, err := admit(w, req)
			if err != nil || who == nil {
				return turnAway(w, req, err)
			}
			return r.sendShown(w, req, who, show)
		})
	}
}

// shown is a page: its title, its template, and a function that collects more than the
// facts.
type shown struct {
	title, template string
	prepare         func(*http.Request, *page.Page) error
}

func (d *Dashboard) sendShown(w *observe.Response, r *http.Request, who *viewer, show shown) error {
	p := newPage(who, r, show.title)
	p.Facts = d.facts(r.Context(), show.template == "activity")
	p.Actions, p.Moves, p.Browses = d.opts.Actor != nil, show.template == "runspage", d.browser != nil
	if show.prepare != nil {
		if err := show.prepare(r, p); err != nil {
			return err
		}
	}
	return sendPage(w, r, http.StatusOK, p, show.template)
}

// addLogin adds the routes of login and logout.
func (r *routes) addLogin() {
	r.look(LoginPath, func(w *observe.Response, req *http.Request) error {
		if !r.opts.Gate.Allows(r.opts.State.Current(), req.RemoteAddr) {
			return refusal.ErrAddress
		}
		return sendPage(w, req, http.StatusOK, &page.Page{Chrome: &page.Chrome{Title: "Log in"}, Next: nextOf(req)}, "login")
	})
	r.act(LoginPath, r.postLogin)
	r.act(LogoutPath, r.postLogout)
}

// admitToPage admits callers with a session.
func (d *Dashboard) admitToPage(w *observe.Response, r *http.Request) (*viewer, error) {
	if !d.opts.Gate.Allows(d.opts.State.Current(), r.RemoteAddr) {
		return nil, refusal.ErrAddress
	}
	cookie, err := r.Cookie(SessionCookie)
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // not logged in
	}
	s := d.sessions.Read(cookie.Value, d.marks, time.Now())
	if s == nil {
		return nil, nil //nolint:nilnil // the session is over
	}
	w.Entry.User = s.User
	return &viewer{user: s.User, session: s, token: d.sessions.Token(s.ID)}, nil
}

// turnAway refuses a request, or redirects to the login.
func turnAway(w *observe.Response, r *http.Request, err error) error {
	if err != nil {
		return err
	}
	return redirect(w, LoginPath+"?next="+nextQuery(r))
}

func redirect(w *observe.Response, path string) error {
	w.Header().Set("Location", path)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// postLogin begins a session.
func (d *Dashboard) postLogin(w *observe.Response, r *http.Request) error {
	v := d.opts.State.Current()
	if !d.opts.Gate.Allows(v, r.RemoteAddr) {
		return refusal.ErrAddress
	}
	user := strings.TrimSpace(r.PostForm.Get("user"))
	p, err := d.logIn(r, v, user, []byte(r.PostForm.Get("password")))
	if err != nil {
		d.NoteFailure(r, user, err)
		return d.refuseLogin(w, r, user, err)
	}
	w.Entry.User = p.Name
	s, cookie := d.sessions.Begin(p.Name, p.Mark(), time.Now())
	d.proveLogin(w, r, p.Name, "login", "ok")
	http.SetCookie(w, &http.Cookie{
		Name: SessionCookie, Value: cookie, Path: page.Base, Expires: s.Until, HttpOnly: true,
		Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	return redirect(w, nextIn(r.PostForm.Get("next")))
}

// refuseLogin shows the form again.
func (d *Dashboard) refuseLogin(w *observe.Response, r *http.Request, user string, err error) error {
	p := &page.Page{Chrome: &page.Chrome{Title: "Log in"}, Name: user, Next: nextIn(r.PostForm.Get("next"))}
	code := refusal.Status(err)
	wait, waits := errors.AsType[*refusal.WaitError](err)
	switch {
	case waits:
		w.Header().Set("Retry-After", wait.Seconds())
		p.Message = fmt.Sprintf("Too many logins have failed. Try again in %d minutes.", int(wait.Wait.Minutes())+1)
	case errors.Is(err, refusal.ErrUnauthenticated):
		p.Message = "This user and this password do not fit."
		code = http.StatusForbidden // after a 401, browsers would show a dialog of their own
	case errors.Is(err, refusal.ErrScope):
		p.Message = "This user may not look at this page: it is for nodes and administrators."
	default:
		p.Message = "Redis has not been read yet. Try again in a moment."
	}
	d.proveLogin(w, r, user, audit.Refused, strconv.Itoa(code))
	return sendPage(w, r, code, p, "login")
}

// proveLogin records a login in the audit log.
func (d *Dashboard) proveLogin(w *observe.Response, r *http.Request, user, what, result string) {
	d.opts.Audit.Write(audit.Event{
		What: what, Who: user, From: r.RemoteAddr, Object: LoginPath, Request: w.ID(), Result: result,
	})
}

// postLogout ends the session.
func (d *Dashboard) postLogout(w *observe.Response, r *http.Request) error {
	who, err := d.admitToPage(w, r)
	if err != nil {
		return err
	}
	if who != nil {
		if !d.sessions.Genuine(who.session.ID, r.PostForm.Get("token")) {
			return fmt.Errorf("%w: the form is not of this session", refusal.ErrForbidden)
		}
		d.sessions.End(who.session, time.Now())
	}
	http.SetCookie(w, &http.Cookie{Name: SessionCookie, Path: page.Base, MaxAge: -1, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
	return redirect(w, LoginPath)
}

// newPage returns a page without content.
func newPage(who *viewer, r *http.Request, title string) *page.Page {
	chrome := &page.Chrome{Title: title, User: who.user, Path: pathOf(r)}
	if who.session != nil {
		chrome.Token = who.token
	}
	return &page.Page{Chrome: chrome}
}

func sendPage(w *observe.Response, r *http.Request, code int, p *page.Page, template string) error {
	content, err := p.Render(template)
	if err != nil {
		return fmt.Errorf("%w: %w", refusal.ErrDefect, err)
	}
	header := w.Header()
	header.Set("Content-Security-Policy", Policy)
	if p.Moves {
		header.Set("Content-Security-Policy", movingPolicy)
	}
	header.Set("Referrer-Policy", "same-origin")
	header.Set("X-Frame-Options", "DENY")
	return send(w, r, code, "text/html; charset=utf-8", content)
}

func (d *Dashboard) prepareModule(r *http.Request, p *page.Page) error {
	ask, err := parseAsk(r)
	if err != nil {
		return err
	}
	m := p.Facts.Module(ask.App + "/" + ask.UUID)
	if m == nil {
		return refusal.ErrNotFound
	}
	p.Module, p.Title = m, m.Name
	ask.Query.Module = m.ID
	ask.Query.Most = 30
	if p.Runs, err = p.Facts.Chosen(d.ask(r.Context(), ask)); err != nil {
		p.Runs = ask.Query.Of(p.Facts.Runs) // Redis is down: use what is known
	}
	p.Points = d.restorePoints(r.Context(), m)
	return nil
}

func prepareDestination(r *http.Request, p *page.Page) error {
	ask, err := parseAsk(r)
	if err != nil {
		return err
	}
	if p.Destination = p.Facts.Destination(ask.ID); p.Destination == nil {
		return refusal.ErrNotFound
	}
	p.Title = p.Destination.Name
	return nil
}

func (d *Dashboard) prepareRuns(r *http.Request, p *page.Page) error {
	ask, err := parseAsk(r)
	if err != nil {
		return err
	}
	p.Query = ask.Query
	if p.Runs, err = p.Facts.Chosen(d.ask(r.Context(), ask)); err != nil {
		p.Runs = ask.Query.Of(p.Facts.Runs)
	}
	return nil
}

// prepareRun prepares the page of one run: its outcome and its output.
func (d *Dashboard) prepareRun(r *http.Request, p *page.Page) error {
	ask, err := parseAsk(r)
	if err != nil {
		return err
	}
	id := ask.ID
	ask.Query = status.Query{Schedule: ask.Query.Schedule, ID: id, Most: status.MaxRuns}
	if p.Runs, err = p.Facts.Chosen(d.ask(r.Context(), ask)); err != nil {
		p.Runs = ask.Query.Of(p.Facts.Runs)
	}
	if len(p.Runs) == 0 {
		return refusal.ErrNotFound
	}
	p.Log.ID = id
	var modules []string
	for i := range p.Runs {
		modules = append(modules, p.Runs[i].Module)
	}
	slices.Sort(modules)
	lines, err := d.reader.Log(r.Context(), d.opts.State.Latest(), id, slices.Compact(modules))
	if err != nil {
		d.opts.Log.Warn("what a run said cannot be shown", "err", err, "hint", refusal.HintRedis)
	}
	p.Log.Lines = lines
	return nil
}

// sendLive sends the running tasks to the script of the page.
func (d *Dashboard) sendLive(w *observe.Response, r *http.Request, who *viewer) error {
	p := newPage(who, r, "Runs")
	p.Facts = d.facts(r.Context(), false)
	content, err := p.Fragment("live")
	if err != nil {
		return fmt.Errorf("%w: %w", refusal.ErrDefect, err)
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	return send(w, r, http.StatusOK, "text/html; charset=utf-8", content)
}
