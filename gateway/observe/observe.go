package observe

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
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
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/wire"
)

// realm is the realm that NethServer 8's clients expect in a 401.
const realm = `Basic realm="ns8-rclone-gateway"`

// Values of response headers, which must not be modified.
var (
	challenge  = []string{realm}
	plainText  = []string{"text/plain; charset=utf-8"}
	noSniffing = []string{"nosniff"}
)

// Entry describes a request in the access log. The handler fills it in.
type Entry struct {
	User, Destination, Repo string
	Type                    object.Type
	Name                    string

	Operation operation.Operation
	Path      string      // the gateway's own path, or a path of WebDAV
	Mount     *live.Mount // nil if the request reached none
	Node      string      // ID of the peer that it was forwarded to
	Action    string      // name in the audit log of a successful request to the gateway's own paths
}

// object returns what the request was about: a name within its repository, "data/ba78…"; a
// path of WebDAV within the destination; or one of the gateway's own paths.
func (e *Entry) object() string {
	switch {
	case e.Path != "":
		return e.Path
	case e.Repo == "" || e.Type == object.Root:
		return ""
	case e.Type == object.Config:
		return e.Type.String()
	}
	return e.Type.String() + "/" + e.Name
}

// requestID identifies a request in the log, and in error messages to its client.
type requestID struct {
	process string
	count   uint64
}

func (id requestID) String() string { return id.process + strconv.FormatUint(id.count, 36) }

// Response is the ResponseWriter of handlers.
type Response struct {
	wire.Response

	Entry Entry
	id    requestID
}

// ID returns the request's ID in the log.
func (w *Response) ID() string { return w.id.String() }

// Handler handles a request and leaves errors to its [Observer].
type Handler func(w *Response, r *http.Request) error

// Options configure an Observer.
type Options struct {
	Log *slog.Logger
	// Stall ends a request without progress after that time.
	Stall   time.Duration
	Metrics *metrics.Metrics
	// Saved, if set, is called after each saved snapshot.
	Saved func(destination, repo string)
	// Audit, if set, is the audit log.
	Audit *audit.Log
	// Refused, if set, is called with each error, and with the user if known.
	Refused func(r *http.Request, user string, err error)
}

// Observer is the only middleware.
type Observer struct {
	opts    Options
	prefix  string        // of this process's request ids
	number  atomic.Uint64 // of requests
	repeats repeats

	detachments wire.Detachments
}

// New returns an Observer.
func New(opts Options) *Observer {
	if opts.Saved == nil {
		opts.Saved = func(string, string) {}
	}
	var prefix [4]byte
	rand.Read(prefix[:]) // never fails
	return &Observer{opts: opts, prefix: hex.EncodeToString(prefix[:]) + "-"}
}

// Wait waits for the requests that [http.Server.Shutdown] does not know. When ctx ends, it
// aborts them and returns ctx's error.
func (o *Observer) Wait(ctx context.Context) error { return o.detachments.Wait(ctx) }

// Observe wraps h in an http.Handler, which gives the request an id, watches its progress,
// turns its error into a status, and writes the log line.
func (o *Observer) Observe(h Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		started := time.Now()
		o.opts.Metrics.Began()
		w := &Response{Response: wire.NewResponse(rw, o.opts.Stall, &o.detachments), id: requestID{o.prefix, o.number.Add(1)}}
		if r.Body != http.NoBody {
			// Only a copy of the request gets the new body: net/http inspects its own body
			// for unread data, and would wait for the rest of a body that it does not know.
			r = r.WithContext(r.Context())
			r.Body = w.Watch(r.Body)
		}

		defer w.Abort()
		err := o.call(h, w, r)
		begun, code := w.Status != 0, outcome(r.Context(), w, err)
		if err != nil && !begun && code != refusal.StatusClientGone {
			if peer.IsHop(r) && refusal.Final(err) {
				w.Header().Set(peer.HeaderProven, "1")
			}
			o.refuse(w, code, err)
		}
		took := time.Since(started)
		o.count(w, code, took, err)
		o.record(r, w, code, took, err)
		o.prove(r, w, code, err)
		if err != nil && o.opts.Refused != nil {
			o.opts.Refused(r, w.Entry.User, err)
		}
		if err != nil && (begun || code == refusal.StatusClientGone) {
			panic(http.ErrAbortHandler) // an interrupted response must not look complete, nor like an empty 200
		}
		w.End()
	})
}

// outcome returns the status under which a request is logged and counted. It differs from
// the one that the client got where the answer had begun before it failed.
func outcome(ctx context.Context, w *Response, err error) int {
	begun := w.Status != 0
	switch {
	case err == nil && !begun:
		return http.StatusOK // net/http's own, for an empty body
	case w.Broken:
		return refusal.StatusClientGone
	case err != nil:
		return status(ctx, err)
	}
	return w.Status
}

// count updates the metrics and the destination's guard after a request.
func (o *Observer) count(w *Response, code int, took time.Duration, err error) {
	ended := metrics.Request{
		Operation: w.Entry.Operation, Code: code, Took: took, Received: w.Received, Sent: w.Sent, Err: err,
	}
	if mount := w.Entry.Mount; mount != nil {
		ended.Destination = mount.Destination
		begun := w.Status != 0
		mount.Guard.Served(code >= http.StatusInternalServerError, w.Received, w.Sent)
		switch {
		case w.Entry.Node != "":
			o.opts.Metrics.Forwarded(w.Entry.Node, code) // the failure is not this node's
		case err != nil && begun && !w.Broken && code >= http.StatusInternalServerError:
			mount.Guard.BrokeOff()
		case err == nil && w.Entry.Operation == operation.Save && w.Entry.Type == object.Snapshots && code == http.StatusOK:
			mount.Guard.SavedSnapshot()
			o.opts.Saved(mount.Destination.ID, w.Entry.Repo)
		}
	}
	o.opts.Metrics.Ended(ended)
}

// call runs h and turns a panic into an error.
func (o *Observer) call(h Handler, w *Response, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			o.opts.Log.Error("defect: a handler panicked", "panic", p, "stack", string(debug.Stack()),
				"hint", "please report this line; restic tries the request again")
			err = refusal.ErrDefect
		}
	}()
	return h(w, r)
}

// refuse answers with the status's text and the request id. The cause may contain URLs,
// keys and bucket names, so it only goes to the log.
func (o *Observer) refuse(w *Response, code int, err error) {
	w.Hurry()
	header := w.Header()
	switch code {
	case http.StatusUnauthorized:
		header["Www-Authenticate"] = challenge
	case http.StatusMethodNotAllowed:
		if header.Get("Allow") == "" {
			header.Set("Allow", "GET, HEAD, POST, DELETE")
		}
	}
	header.Del("Content-Encoding")
	header["Content-Type"] = plainText
	header["X-Content-Type-Options"] = noSniffing
	id := w.id.String()
	header["X-Request-Id"] = []string{id}
	text := refusal.Public(err)
	if text == "" {
		text = strconv.Itoa(code) + " " + http.StatusText(code)
	}
	body := text + " (request " + id + ")\n" + refusal.Notice(err)
	if condition := refusal.Condition(err); condition != "" {
		header.Set("Content-Type", "application/xml; charset=utf-8")
		body = `<?xml version="1.0" encoding="utf-8"?>` + "\n" + `<D:error xmlns:D="DAV:"><D:` + condition + "/><!-- request " + id + " --></D:error>\n"
	}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(code)
	_, _ = w.Write([]byte(body)) // the client may be gone
}

// levelOf returns the level of the request's line: debug for a success, info for a
// refusal, error for a failure of the gateway or of a storage.
func levelOf(r *http.Request, w *Response, code int, err error) slog.Level {
	switch {
	case w.Entry.Operation == operation.Probe:
		return slog.LevelDebug // peers probe again and again, and hear the answer
	case errors.Is(err, refusal.ErrElsewhere):
		return slog.LevelInfo // a 502 of WebDAV that is the client's fault
	case code >= http.StatusInternalServerError && code != http.StatusNotImplemented:
		return slog.LevelError
	case code == http.StatusNotFound && r.Method == http.MethodHead:
		return slog.LevelDebug // a client asks whether a repository exists
	case code >= http.StatusBadRequest:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// record writes the request's line in the access log. A failure carries a hint at what to
// do; a destination that keeps failing is logged at error level only once a minute.
func (o *Observer) record(r *http.Request, w *Response, code int, took time.Duration, err error) {
	level := levelOf(r, w, code, err)
	ctx := r.Context()
	var advice string
	untold := 0
	if err != nil && o.opts.Log.Enabled(ctx, level) {
		advice = hint(code, err)
	}
	if level == slog.LevelError && w.Entry.Mount != nil {
		var tell bool
		if tell, untold = o.repeats.tell(failureKind{w.Entry.Mount.Destination.ID, advice, code}, time.Now()); !tell {
			level = slog.LevelDebug
		}
	}
	if !o.opts.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("req", w.id.String()),
		slog.String("method", r.Method),
		slog.Int("status", code),
		slog.String("user", w.Entry.User),
		slog.String("dest", w.Entry.Destination),
		slog.String("repo", w.Entry.Repo),
		slog.String("obj", w.Entry.object()),
		slog.Int64("received", w.Received),
		slog.Int64("sent", w.Sent),
		slog.Float64("seconds", took.Seconds()),
		slog.String("from", r.RemoteAddr),
	}
	if w.Entry.Node != "" {
		attrs = append(attrs, slog.String("node", w.Entry.Node))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err), slog.String("hint", advice))
	}
	if untold > 0 {
		attrs = append(attrs, slog.Int("untold", untold))
	}
	o.opts.Log.LogAttrs(ctx, level, "request", attrs...)
}
