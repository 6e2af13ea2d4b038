package gateway

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rclone-gateway/rclone-gateway/gateway/guard"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
)

// operation is what a request asks for, as the metrics tell it.
type operation uint8

const (
	opOther operation = iota
	opCreate
	opHead
	opGet
	opList
	opSave
	opDelete
	opProbe
	opAdmin
)

var operationNames = [...]string{
	opOther: "other", opCreate: "create", opHead: "head", opGet: "get", opList: "list",
	opSave: "save", opDelete: "delete", opProbe: "probe", opAdmin: "admin",
}

// operationOf tells what a request asked for. What is none of the protocol's is
// other.
func operationOf(method string, e *entry) operation {
	switch {
	case e.own != opOther:
		return e.own
	case e.repo == "":
		return opOther
	}
	switch method {
	case http.MethodHead:
		return opHead
	case http.MethodGet:
		if e.name == "" && e.typ != rest.Config {
			return opList
		}
		return opGet
	case http.MethodPost:
		if e.typ == rest.Root {
			return opCreate
		}
		return opSave
	case http.MethodDelete:
		return opDelete
	}
	return opOther
}

// codes are the statuses that are told apart; any other one is "other".
var codes = [...]int{
	http.StatusOK, http.StatusPartialContent, http.StatusBadRequest, http.StatusUnauthorized,
	http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestTimeout,
	http.StatusLengthRequired, http.StatusRequestedRangeNotSatisfiable, statusClientGone,
	http.StatusInternalServerError, http.StatusNotImplemented, http.StatusBadGateway,
	http.StatusServiceUnavailable, http.StatusInsufficientStorage,
	// Those of WebDAV alone.
	http.StatusCreated, http.StatusNoContent, http.StatusMultiStatus, http.StatusNotModified,
	http.StatusConflict, http.StatusPreconditionFailed, http.StatusLoopDetected,
}

// codeIndex is the place of a status in codes, or the one behind its end.
func codeIndex(code int) int {
	for i, known := range codes {
		if code == known {
			return i
		}
	}
	return len(codes)
}

func codeName(index int) string {
	if index == len(codes) {
		return "other"
	}
	return strconv.Itoa(codes[index])
}

// meters are the metrics of requests to one type of destination. Each is looked
// up once: a request finds it by its number.
type meters struct {
	of  *metrics
	typ string
	ops [len(operationNames)]atomic.Pointer[opMeters]
}

// opMeters are those of one operation.
type opMeters struct {
	duration       prometheus.Observer
	received, sent prometheus.Counter
	codes          [len(codes) + 1]atomic.Pointer[prometheus.Counter]
}

// op returns the meters of an operation. Two that come first at once make the
// same, over the same counters.
func (t *meters) op(o operation) *opMeters {
	if known := t.ops[o].Load(); known != nil {
		return known
	}
	name := operationNames[o]
	made := &opMeters{
		duration: t.of.duration.WithLabelValues(name, t.typ),
		received: t.of.received.WithLabelValues(name, t.typ),
		sent:     t.of.sent.WithLabelValues(name, t.typ),
	}
	t.ops[o].Store(made)
	return made
}

// ended returns the counter of the requests that ended with a status.
func (t *meters) ended(o operation, code int) prometheus.Counter {
	index := codeIndex(code)
	place := &t.op(o).codes[index]
	if known := place.Load(); known != nil {
		return *known
	}
	counter := t.of.requests.WithLabelValues(operationNames[o], t.typ, codeName(index))
	place.Store(&counter)
	return counter
}

// metersOf returns the meters of requests to a destination, nil standing for
// none. The destination keeps them.
func (m *metrics) metersOf(s *store) *meters {
	if s == nil {
		return m.refused
	}
	if known := s.meters.Load(); known != nil && known.of == m {
		return known
	}
	typ := typeLabel(s.destination)
	made, _ := m.byType.LoadOrStore(typ, &meters{of: m, typ: typ})
	s.meters.Store(made.(*meters))
	return made.(*meters)
}

// requested counts a request that has ended. It allocates nothing once a request
// of its kind has been counted.
func (m *metrics) requested(w *response, r *http.Request, code int, took time.Duration, err error) {
	e := &w.entry
	op := operationOf(r.Method, e)
	kind := m.metersOf(e.store)
	kind.ended(op, code).Inc()
	meters := kind.op(op)
	meters.duration.Observe(took.Seconds())
	if w.received > 0 {
		meters.received.Add(float64(w.received))
	}
	if w.sent > 0 {
		meters.sent.Add(float64(w.sent))
	}
	if e.store != nil {
		served(e.store.guard, op, e.typ, code, w.broken, w.status != 0, err)
	}
	if err != nil {
		m.blame(op, err)
	}
}

// served tells a guard of the end of a request what its attempts did not show.
func served(g *guard.Guard, op operation, typ rest.Type, code int, clientGone, begun bool, err error) {
	switch {
	case err != nil && begun && !clientGone && code >= http.StatusInternalServerError:
		g.BrokeOff()
	case err == nil && op == opSave && typ == rest.Snapshots && code == http.StatusOK:
		g.SavedSnapshot()
	}
}

// blame counts the refusals that are the caller's.
func (m *metrics) blame(op operation, err error) {
	if reason := refusal.AuthReason(err); reason != "" {
		m.authFailures.WithLabelValues(reason).Inc()
		return
	}
	if op != opSave {
		return
	}
	if reason := refusal.UploadReason(err); reason != "" {
		m.uploadsRefused.WithLabelValues(reason).Inc()
	}
}
