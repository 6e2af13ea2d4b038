package gateway

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/metrics"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/peer"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/wire"
)

// realm is what clients of NethServer 8 expect in a 401.
const realm = `Basic realm="ns8-rclone-gateway"`

// entry is what the access log says of a request; serve fills it in.
type entry struct {
	user, destination, repo string
	typ                     rest.Type
	name                    string

	operation operation.Operation
	path      string      // which of the gateway's own paths it is, or what of WebDAV's
	mount     *live.Mount // nil where the request reached none
	node      string      // the peer that it was passed on to
}

// object is what the request was about within its repository, "data/ba78…", or within
// its destination, where it was WebDAV's, or which of the gateway's own paths.
func (e *entry) object() string {
	switch {
	case e.path != "":
		return e.path
	case e.repo == "" || e.typ == rest.Root:
		return ""
	case e.typ == rest.Config:
		return e.typ.String()
	}
	return e.typ.String() + "/" + e.name
}

// requestID names a request in the log and in what its client is told of a failure.
type requestID struct {
	process string
	count   uint64
}

func (id requestID) String() string { return id.process + strconv.FormatUint(id.count, 36) }

// response is the ResponseWriter that handlers see.
type response struct {
	wire.Response

	id    requestID
	entry entry
}

// handler is a request's handler that leaves errors to observe.
type handler func(w *response, r *http.Request) error

// observer is the one middleware.
type observer struct {
	log    *slog.Logger
	stall  time.Duration
	prefix string        // of the request ids of this process
	number atomic.Uint64 // of requests

	metrics *metrics.Metrics
	repeats repeats
	saved   func(destination, repo string) // is told of snapshots
	audit   *audit.Log
}

func newObserver(log *slog.Logger, stall time.Duration, counts *metrics.Metrics, saved func(destination, repo string), proof *audit.Log) *observer {
	var prefix [4]byte
	rand.Read(prefix[:]) // never fails
	return &observer{log: log, stall: stall, prefix: hex.EncodeToString(prefix[:]) + "-", metrics: counts, saved: saved, audit: proof}
}

// observe turns h into an http.Handler: it gives the request an id, watches its
// progress, turns its error into a status, and writes its line in the log.
func (o *observer) observe(h handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		started := time.Now()
		o.metrics.Began()
		w := &response{Response: wire.NewResponse(rw, o.stall), id: requestID{o.prefix, o.number.Add(1)}}
		if r.Body != http.NoBody {
			// In a copy of the request: net/http looks at its own body for how much is
			// unread, and would wait for the rest of one that it does not know.
			r = r.WithContext(r.Context())
			r.Body = w.Watch(r.Body)
		}

		err := o.call(h, w, r)
		begun, code := w.Status != 0, w.Status
		switch {
		case err == nil && !begun:
			code = http.StatusOK // net/http's own, for an empty body
		case err == nil && w.Broken:
			code = refusal.StatusClientGone
		case err != nil && w.Broken:
			code = refusal.StatusClientGone
		case err != nil:
			code = status(r.Context(), err)
		}
		if err != nil && !begun && code != refusal.StatusClientGone {
			if isHop(r) && proven(err) {
				w.Header().Set(peer.HeaderProven, "1")
			}
			o.refuse(w, code, err)
		}
		took := time.Since(started)
		o.count(w, code, took, err)
		o.record(r, w, code, took, err)
		o.prove(r, w, code, err)
		if err != nil && (begun || code == refusal.StatusClientGone) {
			panic(http.ErrAbortHandler) // what is cut must not look complete, nor like the 200 of an empty answer
		}
	})
}

// count tells the metrics, and the destination's guard, of the end of a request.
func (o *observer) count(w *response, code int, took time.Duration, err error) {
	ended := metrics.Request{
		Operation: w.entry.operation, Code: code, Took: took, Received: w.Received, Sent: w.Sent, Err: err,
	}
	if mount := w.entry.mount; mount != nil {
		ended.Destination = mount.Destination
		begun := w.Status != 0
		switch {
		case w.entry.node != "":
			o.metrics.Forwarded(w.entry.node, code) // what failed is not this node's
		case err != nil && begun && !w.Broken && code >= http.StatusInternalServerError:
			mount.Guard.BrokeOff()
		case err == nil && w.entry.operation == operation.Save && w.entry.typ == rest.Snapshots && code == http.StatusOK:
			mount.Guard.SavedSnapshot()
			o.saved(mount.Destination.ID, w.entry.repo)
		}
	}
	o.metrics.Ended(ended)
}

// call runs h and turns a panic into an error.
func (o *observer) call(h handler, w *response, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			o.log.Error("defect: a handler panicked", "panic", p, "stack", string(debug.Stack()),
				"hint", "please report this line; restic tries the request again")
			err = refusal.ErrDefect
		}
	}()
	return h(w, r)
}

// refuse answers with the status's own text and the request id. Causes may hold
// URLs, keys and bucket names: they go to the log only.
func (o *observer) refuse(w *response, code int, err error) {
	w.Hurry()
	header := w.Header()
	switch code {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", realm)
	case http.StatusMethodNotAllowed:
		if header.Get("Allow") == "" {
			header.Set("Allow", "GET, HEAD, POST, DELETE")
		}
	}
	header.Del("Content-Encoding")
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	id := w.id.String()
	header.Set("X-Request-Id", id)
	text := cmp.Or(refusal.Public(err), fmt.Sprintf("%d %s", code, http.StatusText(code)))
	body := fmt.Sprintf("%s (request %s)\n%s", text, id, notice(err))
	if condition := refusal.Condition(err); condition != "" {
		header.Set("Content-Type", "application/xml; charset=utf-8")
		body = `<?xml version="1.0" encoding="utf-8"?>` + "\n" + `<D:error xmlns:D="DAV:"><D:` + condition + "/><!-- request " + id + " --></D:error>\n"
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write([]byte(body)) // the client may be gone
}

// record writes the request's line: a success at debug level, a refusal at
// info, a failure of ours or of a remote at error.
// What goes wrong comes with a hint at what to do.
func (o *observer) record(r *http.Request, w *response, code int, took time.Duration, err error) {
	level := slog.LevelDebug
	switch {
	case w.entry.operation == operation.Probe:
		// whoever asks hears the answer, again and again
	case errors.Is(err, refusal.ErrElsewhere):
		level = slog.LevelInfo // a 502 of WebDAV's that is the client's fault
	case code >= http.StatusInternalServerError && code != http.StatusNotImplemented:
		level = slog.LevelError
	case code == http.StatusNotFound && r.Method == http.MethodHead:
		// the question whether a repository is there
	case code >= http.StatusBadRequest:
		level = slog.LevelInfo
	}
	ctx := r.Context()
	var advice string
	untold := 0
	if err != nil && o.log.Enabled(ctx, level) {
		advice = hint(code, err)
	}
	if level == slog.LevelError && w.entry.mount != nil {
		var tell bool
		if tell, untold = o.repeats.tell(failureKind{w.entry.mount.Destination.ID, advice, code}, time.Now()); !tell {
			level = slog.LevelDebug
		}
	}
	if !o.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("req", w.id.String()),
		slog.String("method", r.Method),
		slog.Int("status", code),
		slog.String("user", w.entry.user),
		slog.String("dest", w.entry.destination),
		slog.String("repo", w.entry.repo),
		slog.String("obj", w.entry.object()),
		slog.Int64("received", w.Received),
		slog.Int64("sent", w.Sent),
		slog.Float64("seconds", took.Seconds()),
		slog.String("from", r.RemoteAddr),
	}
	if w.entry.node != "" {
		attrs = append(attrs, slog.String("node", w.entry.node))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err), slog.String("hint", advice))
	}
	if untold > 0 {
		attrs = append(attrs, slog.Int("untold", untold))
	}
	o.log.LogAttrs(ctx, level, "request", attrs...)
}
