package dashboard

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
)

// addAPI adds the routes of the JSON API.
func (r *routes) addAPI(admit admitter) {
	for _, e := range status.Endpoints {
		r.look(status.APIBase+e.Path, func(w *observe.Response, req *http.Request) error {
			if _, err := admit(w, req); err != nil {
				return err
			}
			return r.answerAPI(w, req, e)
		})
	}
	r.look(status.OpenAPIPath, func(w *observe.Response, req *http.Request) error {
		if _, err := admit(w, req); err != nil {
			return err
		}
		return sendJSON(w, req, status.OpenAPI())
	})
}

func (d *Dashboard) answerAPI(w *observe.Response, r *http.Request, e status.Endpoint) error {
	ask, err := parseAsk(r)
	if err != nil {
		return err
	}
	if d.opts.State.Latest() == nil {
		return refusal.ErrUnready
	}
	answer, err := e.Answer(d.facts(r.Context(), e.Name == "activity"), d.ask(r.Context(), ask))
	switch {
	case errors.Is(err, status.ErrUnknown):
		return fmt.Errorf("%w: %w", refusal.ErrNotFound, err)
	case err != nil:
		return fmt.Errorf("%w: %w", refusal.ErrUnready, err)
	}
	return sendJSON(w, r, answer)
}

func sendJSON(w *observe.Response, r *http.Request, answer any) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("%w: %w", refusal.ErrDefect, err)
	}
	return send(w, r, http.StatusOK, "application/json", append(body, '\n'))
}

// compressFrom is the least size of a compressed response, in bytes.
const compressFrom = 1400

var compressors = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// send sends a response, which must not be cached unless its header says so. It compresses
// it if the client accepts that.
func send(w *observe.Response, r *http.Request, code int, contentType string, body []byte) error {
	header := w.Header()
	header.Set("Content-Type", contentType)
	if header.Get("Cache-Control") == "" {
		header.Set("Cache-Control", "no-store")
	}
	header.Set("X-Content-Type-Options", "nosniff")
	header.Add("Vary", "Accept-Encoding")
	if len(body) < compressFrom || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(code)
		if r.Method == http.MethodHead {
			return nil
		}
		_, err := w.Write(body)
		return err
	}
	header.Set("Content-Encoding", "gzip")
	w.WriteHeader(code)
	if r.Method == http.MethodHead {
		return nil
	}
	compressor := compressors.Get().(*gzip.Writer)
	defer compressors.Put(compressor)
	compressor.Reset(w)
	if _, err := compressor.Write(body); err != nil {
		return err
	}
	return compressor.Close()
}
