// Package googletest stands in for Google: the login that rclone sends a browser to, the
// tokens it gets, and those calls of Drive, as Google documents them, that a destination
// with small files needs. There is one user, who consents to everything.
package googletest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// Hosts are the names by which clients come.
var Hosts = []string{"accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com"}

// scope is what the user of a token may do: see and change what that client made.
const scope = "https://www.googleapis.com/auth/drive.file"

// New returns the service with an empty drive.
func New() *Server {
	s := &Server{refreshToken: rand.Text(), codes: map[string]string{}, access: map[string]bool{}, pending: map[string]*pending{}}
	s.mux.HandleFunc("GET /o/oauth2/auth", s.consent)
	s.mux.HandleFunc("POST /token", s.token)
	s.drive("GET /drive/v3/about", s.about)
	s.drive("GET /drive/v3/files", s.list)
	s.drive("POST /drive/v3/files", s.makeFolder)
	s.drive("GET /drive/v3/files/{id}", s.get)
	s.drive("PATCH /drive/v3/files/{id}", s.change)
	s.drive("DELETE /drive/v3/files/{id}", s.remove)
	s.drive("POST /upload/drive/v3/files", s.upload)
	s.drive("PATCH /upload/drive/v3/files/{id}", s.upload)
	return s
}

// Server is the service, an http.Handler.
type Server struct {
	mux          http.ServeMux
	refreshToken string

	mu     sync.Mutex
	codes  map[string]string // where each code was sent
	access map[string]bool   // the tokens that were given out
	files  []*file
	made   int // files so far

	pending map[string]*pending // uploads that have begun, by their IDs
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// consent sends the browser back to the client with a code.
func (s *Server) consent(w http.ResponseWriter, r *http.Request) {
	back, err := url.Parse(r.FormValue("redirect_uri"))
	if err != nil || r.FormValue("response_type") != "code" || r.FormValue("scope") != scope || r.FormValue("access_type") != "offline" {
		http.Error(w, "Error 400: invalid_request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	s.mu.Lock()
	s.codes[code] = back.String()
	s.mu.Unlock()
	back.RawQuery = url.Values{"code": {code}, "state": {r.FormValue("state")}, "scope": {scope}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// token gives an access token for a code, which is good once, or for the refresh token.
// It is so short-lived that clients refresh it when they use it.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := map[string]any{"token_type": "Bearer", "expires_in": 1, "scope": scope}
	switch r.FormValue("grant_type") {
	case "authorization_code":
		code := r.FormValue("code")
		if sentTo, known := s.codes[code]; !known || sentTo != r.FormValue("redirect_uri") {
			refuse(w)
			return
		}
		delete(s.codes, code)
		answer["refresh_token"] = s.refreshToken
	case "refresh_token":
		if r.FormValue("refresh_token") != s.refreshToken {
			refuse(w)
			return
		}
	default:
		refuse(w)
		return
	}
	access := "access-" + strconv.Itoa(len(s.access)+1)
	s.access[access] = true
	answer["access_token"] = access
	writeJSON(w, http.StatusOK, answer)
}

func refuse(w http.ResponseWriter) {
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant", "error_description": "Bad Request"})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client may be gone
}

// failure is an error of Drive.
type failure struct {
	status          int
	reason, message string
}

func (f *failure) Error() string { return f.message }

func notFound(id string) error {
	return &failure{http.StatusNotFound, "notFound", "File not found: " + id + "."}
}

func invalid(format string, args ...any) error {
	return &failure{http.StatusBadRequest, "badRequest", fmt.Sprintf(format, args...)}
}

// drive registers a call of Drive, which wants an access token. The call runs alone.
func (s *Server) drive(pattern string, call func(http.ResponseWriter, *http.Request) (any, error)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		var answer any
		var err error = &failure{http.StatusUnauthorized, "authError", "Invalid Credentials"}
		if s.access[token] {
			answer, err = call(w, r)
		}
		f, known := errors.AsType[*failure](err)
		switch {
		case err == nil && answer != nil:
			writeJSON(w, http.StatusOK, answer)
		case err == nil: // the call has written its answer
		case known:
			writeFailure(w, f)
		default:
			writeFailure(w, &failure{http.StatusBadRequest, "badRequest", err.Error()})
		}
	})
}

func writeFailure(w http.ResponseWriter, f *failure) {
	writeJSON(w, f.status, map[string]any{"error": map[string]any{
		"code": f.status, "message": f.message,
		"errors": []map[string]string{{"domain": "global", "reason": f.reason, "message": f.message}},
	}})
}
