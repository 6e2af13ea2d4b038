package dashboard

import (
	"crypto/sha256"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/session"
)

// viewer is a user of the pages or the API.
type viewer struct {
	user    string
	session *session.Session // nil without a session
	token   string           // token that forms send back
}

// HostViewer is the name of callers on the administrative socket.
const HostViewer = "administrator of the gateway's host"

// admitToAPI admits a node or an administrator by the credentials of the request.
func (d *Dashboard) admitToAPI(w *observe.Response, r *http.Request) (*viewer, error) {
	v := d.opts.State.Current()
	if !d.opts.Gate.Allows(v, r.RemoteAddr) {
		return nil, refusal.ErrAddress
	}
	var buf [access.MaxCredentials]byte
	user, secret, ok := access.ParseBasic(r.Header.Get("Authorization"), buf[:])
	if !ok {
		return nil, refusal.ErrNoCredentials
	}
	p, err := d.logIn(r, v, string(user), secret)
	if p != nil {
		w.Entry.User = p.Name
	}
	if wait, ok := errors.AsType[*refusal.WaitError](err); ok {
		w.Header().Set("Retry-After", wait.Seconds())
	}
	if err != nil {
		return nil, err
	}
	return &viewer{user: p.Name}, nil
}

// logIn authenticates a user who is not a module, unless there were too many attempts.
func (d *Dashboard) logIn(r *http.Request, v *live.View, user string, secret []byte) (*catalog.Principal, error) {
	from := access.HostOf(r.RemoteAddr)
	if wait := d.attempts.Wait(from, user, time.Now()); wait > 0 {
		return nil, &refusal.WaitError{Wait: wait}
	}
	judge := func(v *live.View) (access.Admission, error) {
		adm := access.Admission{View: v}
		if v == nil {
			return adm, refusal.ErrUnready
		}
		adm.Principal = v.Snapshot.Principals[user]
		if !adm.Principal.Accepts(secret) {
			err := access.Unaccepted(adm.Principal)
			adm.Principal, adm.News = nil, true
			return adm, err
		}
		if adm.Principal.Role == catalog.RoleModule {
			return adm, refusal.ErrScope
		}
		return adm, nil
	}
	adm, err := judge(v)
	if err != nil && adm.News {
		adm, err = d.opts.Gate.Again(r.Context(), adm, err, user+"\n"+string(secret), judge)
	}
	switch {
	case errors.Is(err, refusal.ErrUnauthenticated):
		d.attempts.Failed(from, user, time.Now())
	case err == nil:
		d.attempts.Succeeded(from, user)
	}
	return adm.Principal, err
}

// marks returns the present mark of a user who may see the pages.
func (d *Dashboard) marks(user string) (mark [sha256.Size]byte, known bool) {
	v := d.opts.State.Current()
	if v == nil {
		return mark, false
	}
	p := v.Snapshot.Principals[user]
	if p == nil || p.Role == catalog.RoleModule {
		return mark, false
	}
	return p.Mark(), true
}

// admitFromHost admits callers on the administrative socket, to which the kernel admits
// only the gateway's own user and root. A browser may use it through ssh -L. A Host header
// that does not name this host then belongs to another site whose DNS points here, so it is
// refused.
func (d *Dashboard) admitFromHost(w *observe.Response, r *http.Request) (*viewer, error) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if ip := net.ParseIP(host); host != "localhost" && host != "" && (ip == nil || !ip.IsLoopback()) {
		return nil, refusal.ErrAddress
	}
	w.Entry.User = HostViewer
	return &viewer{user: HostViewer, token: d.sessions.Token(hostSession)}, nil
}
