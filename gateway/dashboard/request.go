package dashboard

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/page"
)

// parseAsk parses the query of a status page.
func parseAsk(r *http.Request) (status.Ask, error) {
	query := r.URL.Query()
	ask := status.Ask{
		App: chi.URLParam(r, "app"), UUID: chi.URLParam(r, "uuid"), ID: chi.URLParam(r, "id"),
		Query: status.Query{
			Schedule: query.Get("schedule"), Module: strings.TrimSpace(query.Get("module")), ID: query.Get("run"),
			Kind: status.Kind(query.Get("kind")), Outcome: status.Outcome(query.Get("outcome")), Most: status.DefaultRuns,
		},
	}
	if text := query.Get("limit"); text != "" {
		most, err := strconv.Atoi(text)
		if err != nil || most < 1 || most > status.MaxRuns {
			return ask, fmt.Errorf("limit %.20q is not from 1 to %d: %w", text, status.MaxRuns, fs.ErrInvalid)
		}
		ask.Query.Most = most
	}
	return ask, nil
}

// pathOf returns the path of a page.
func pathOf(r *http.Request) string { return strings.TrimSuffix(r.URL.Path, "/") }

// nextQuery returns a query parameter with the page to show after a login.
func nextQuery(r *http.Request) string {
	if r.Method != http.MethodGet {
		return ""
	}
	return url.QueryEscape(r.URL.RequestURI())
}

// nextOf parses that parameter.
func nextOf(r *http.Request) string { return nextIn(r.URL.Query().Get("next")) }

// nextIn accepts only paths of our own pages, to prevent redirects elsewhere.
func nextIn(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Path != page.Base && !strings.HasPrefix(u.Path, page.Base+"/") || strings.Contains(u.Path, "..") || strings.Contains(next, `\`) {
		return page.Base
	}
	return next
}

// parseAction parses the subject of an action from the query of its confirmation.
func parseAction(r *http.Request, name string) page.Action { return newAction(r.URL.Query(), name) }

// parsePostedAction parses the same from the form.
func parsePostedAction(r *http.Request, name string) page.Action { return newAction(r.PostForm, name) }

// newAction parses the subject of an action. Whether it exists is checked in prepare.
func newAction(values url.Values, name string) page.Action {
	a := page.Action{
		Name: name, Schedule: values.Get("schedule"), Destination: values.Get("destination"),
		Repository: values.Get("repository"), Attention: values.Get("attention"),
	}
	a.For = chosen(values.Get("for"), a.Pauses())
	a.Since = chosen(values.Get("since"), a.Sinces())
	return a
}

// chosen parses one of the allowed durations; anything else is 0.
func chosen(text string, choices []page.Choice) time.Duration {
	for _, c := range choices {
		if c.Value == text {
			d, err := time.ParseDuration(text)
			if err == nil {
				return d
			}
		}
	}
	return 0
}

// parsePlace parses the directory or file of a snapshot.
func parsePlace(r *http.Request) page.Place {
	return page.Place{
		Repository: chi.URLParam(r, "app") + "/" + chi.URLParam(r, "uuid"), Destination: r.URL.Query().Get("destination"),
		Snapshot: chi.URLParam(r, "snapshot"), Path: path.Clean("/" + r.URL.Query().Get("path")),
	}
}
