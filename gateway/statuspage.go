package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/page"
)

const (
	loginPath  = page.Base + "/login"
	logoutPath = page.Base + "/logout"
	// sessionCookie holds a session. It is sent to the pages alone.
	sessionCookie = "rclone_gateway_session"
	// maxForm bounds what a form sends, in bytes.
	maxForm = 16 << 10
)

// policy lets a page have our own stylesheet and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// admitter admits whoever looks; nil and no error sends them to the login.
type admitter func(w *observe.Response, r *http.Request) (*viewer, error)

// pageRoutes adds the pages.
func (g *Gateway) pageRoutes(mux chi.Router, admit admitter) {
	g.look(mux, page.StylePath, func(w *observe.Response, r *http.Request) error {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		return send(w, r, http.StatusOK, "text/css; charset=utf-8", page.Style)
	})
	for path, show := range map[string]struct {
		title, template string
		prepare         func(*http.Request, *page.Page) error
	}{
		"":                      {"Overview", "overview", nil},
		"/attention":            {"What needs attention", "attentions", nil},
		"/modules":              {"Modules", "modules", nil},
		"/modules/{app}/{uuid}": {"Module", "module", g.prepareModule},
		"/destinations":         {"Destinations", "destinations", nil},
		"/destinations/{id}":    {"Destination", "destination", prepareDestination},
		"/runs":                 {"Runs", "runspage", g.prepareRuns},
		"/activity":             {"Activity", "activity", nil},
		"/gateways":             {"Gateways", "gateways", nil},
	} {
		g.look(mux, page.Base+path, func(w *observe.Response, r *http.Request) error {
			who, err := admit(w, r)
			if err != nil || who == nil {
				return g.turnAway(w, r, err)
			}
			p := g.page(who, r, show.title)
			p.Facts = g.facts(r.Context(), show.template == "activity")
			if show.prepare != nil {
				if err := show.prepare(r, p); err != nil {
					return err
				}
			}
			return sendPage(w, r, http.StatusOK, p, show.template)
		})
	}
}

// loginRoutes add the way to a session.
func (g *Gateway) loginRoutes(mux chi.Router) {
	g.look(mux, loginPath, func(w *observe.Response, r *http.Request) error {
		if !g.gate.Allows(g.state.Current(), r.RemoteAddr) {
			return refusal.ErrAddress
		}
		return sendPage(w, r, http.StatusOK, &page.Page{Chrome: &page.Chrome{Title: "Log in"}, Next: nextOf(r)}, "login")
	})
	g.act(mux, loginPath, g.postLogin)
	g.act(mux, logoutPath, g.postLogout)
}

// act adds a route that changes something. What another site has a browser send is
// refused.
func (g *Gateway) act(mux chi.Router, path string, h observe.Handler) {
	mux.Post(path, g.observer.Observe(func(w *observe.Response, r *http.Request) error {
		w.Entry.Operation, w.Entry.Path = operation.Admin, path
		if err := g.desk.foreign.Check(r); err != nil {
			return fmt.Errorf("%w: %w", refusal.ErrForbidden, err)
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return fmt.Errorf("%w: the form cannot be read", fs.ErrInvalid)
		}
		return h(w, r)
	}).ServeHTTP)
}

// admitToPage admits who has a session.
func (g *Gateway) admitToPage(w *observe.Response, r *http.Request) (*viewer, error) {
	if !g.gate.Allows(g.state.Current(), r.RemoteAddr) {
		return nil, refusal.ErrAddress
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // nobody yet
	}
	s := g.desk.sessions.Read(cookie.Value, g.marks, time.Now())
	if s == nil {
		return nil, nil //nolint:nilnil // the session is over
	}
	w.Entry.User = s.User
	return &viewer{user: s.User, session: s, token: g.desk.sessions.Token(s.ID)}, nil
}

// turnAway refuses, or sends to the login and back.
func (g *Gateway) turnAway(w *observe.Response, r *http.Request, err error) error {
	if err != nil {
		return err
	}
	return redirect(w, loginPath+"?next="+nextQuery(r))
}

func redirect(w *observe.Response, path string) error {
	w.Header().Set("Location", path)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// postLogin begins a session.
func (g *Gateway) postLogin(w *observe.Response, r *http.Request) error {
	v := g.state.Current()
	if !g.gate.Allows(v, r.RemoteAddr) {
		return refusal.ErrAddress
	}
	user := strings.TrimSpace(r.PostForm.Get("user"))
	p, err := g.logIn(r, v, user, []byte(r.PostForm.Get("password")))
	if err != nil {
		g.desk.noteFailure(r, user, err)
		return g.refuseLogin(w, r, user, err)
	}
	w.Entry.User = p.Name
	s, cookie := g.desk.sessions.Begin(p.Name, p.Mark(), time.Now())
	g.proveLogin(w, r, p.Name, "login", "ok")
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: cookie, Path: page.Base, Expires: s.Until, HttpOnly: true,
		Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	return redirect(w, nextIn(r.PostForm.Get("next")))
}

// refuseLogin shows the form again.
func (g *Gateway) refuseLogin(w *observe.Response, r *http.Request, user string, err error) error {
	p := &page.Page{Chrome: &page.Chrome{Title: "Log in"}, Name: user, Next: nextIn(r.PostForm.Get("next"))}
	code := refusal.Status(err)
	wait, waits := errors.AsType[*waitError](err)
	switch {
	case waits:
		w.Header().Set("Retry-After", wait.seconds())
		p.Message = fmt.Sprintf("Too many logins have failed. Try again in %d minutes.", int(wait.wait.Minutes())+1)
	case errors.Is(err, refusal.ErrUnauthenticated):
		p.Message = "This user and this password do not fit."
		code = http.StatusForbidden // a browser would ask for credentials itself at a 401
	case errors.Is(err, refusal.ErrScope):
		p.Message = "This user may not look at this page: it is for nodes and administrators."
	default:
		p.Message = "Redis has not been read yet. Try again in a moment."
	}
	g.proveLogin(w, r, user, audit.Refused, strconv.Itoa(code))
	return sendPage(w, r, code, p, "login")
}

// proveLogin writes a login into the audit log.
func (g *Gateway) proveLogin(w *observe.Response, r *http.Request, user, what, result string) {
	g.opts.Audit.Write(audit.Event{
		What: what, Who: user, From: r.RemoteAddr, Object: loginPath, Request: w.ID(), Result: result,
	})
}

// postLogout ends the session.
func (g *Gateway) postLogout(w *observe.Response, r *http.Request) error {
	who, err := g.admitToPage(w, r)
	if err != nil {
		return err
	}
	if who != nil {
		if !g.desk.sessions.Genuine(who.session.ID, r.PostForm.Get("token")) {
			return fmt.Errorf("%w: the form is not of this session", refusal.ErrForbidden)
		}
		g.desk.sessions.End(who.session, time.Now())
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: page.Base, MaxAge: -1, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
	return redirect(w, loginPath)
}

// page is one to be filled.
func (g *Gateway) page(who *viewer, r *http.Request, title string) *page.Page {
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
	header.Set("Content-Security-Policy", policy)
	header.Set("Referrer-Policy", "same-origin")
	header.Set("X-Frame-Options", "DENY")
	return send(w, r, code, "text/html; charset=utf-8", content)
}

func (g *Gateway) prepareModule(r *http.Request, p *page.Page) error {
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
	if p.Runs, err = p.Facts.Chosen(g.ask(r.Context(), ask)); err != nil {
		p.Runs = ask.Query.Of(p.Facts.Runs) // Redis is away: what is known
	}
	p.Points = g.restorePoints(r.Context(), m)
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

func (g *Gateway) prepareRuns(r *http.Request, p *page.Page) error {
	ask, err := parseAsk(r)
	if err != nil {
		return err
	}
	p.Query = ask.Query
	if p.Runs, err = p.Facts.Chosen(g.ask(r.Context(), ask)); err != nil {
		p.Runs = ask.Query.Of(p.Facts.Runs)
	}
	return nil
}
