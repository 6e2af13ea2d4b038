package gatehttp

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAsk(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/broken":
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("half"))
		default:
			w.WriteHeader(http.StatusTeapot)
			_ = json.NewEncoder(w).Encode([]string{r.Method, user, password, string(body), r.Header.Get("Content-Type")})
		}
	}))
	t.Cleanup(server.Close)

	q := Question{Method: http.MethodPut, URL: server.URL, User: "u", Password: "p", Body: map[string]int{"a": 1}, Most: 1000}
	answer, err := Ask(t.Context(), server.Client(), q)
	if want := `["PUT","u","p","{\"a\":1}","application/json"]` + "\n"; err != nil || answer.Code != http.StatusTeapot || string(answer.Text) != want {
		t.Errorf("%v, %v", answer, err)
	}
	answer, err = Ask(t.Context(), server.Client(), Question{Method: http.MethodGet, URL: server.URL, Most: 12})
	if want := `["GET","","",`[:12]; err != nil || string(answer.Text) != want {
		t.Errorf("without a body and a user, and 12 bytes at most: %v, %v", answer, err)
	}
	if answer, err = Ask(t.Context(), server.Client(), Question{Method: http.MethodGet, URL: server.URL + "/broken", Most: 1000}); err == nil || answer == nil {
		t.Errorf("an answer that breaks off: %v, %v", answer, err)
	}
	if _, err = Ask(t.Context(), server.Client(), Question{Method: http.MethodGet, URL: "http://[::1"}); !errors.Is(err, ErrAddress) {
		t.Errorf("an address that is no URL: %v", err)
	}
	if answer, err = Ask(t.Context(), server.Client(), Question{Method: http.MethodGet, URL: "http://127.0.0.1:1"}); err == nil || answer != nil {
		t.Errorf("nothing listens: %v, %v", answer, err)
	}
}
