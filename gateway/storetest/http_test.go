package storetest_test

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// serve puts the protocol's handler in front of a store, without any users.
func serve(t *testing.T, store storage.Store) storage.Store {
	t.Helper()
	handler := rest.NewHandler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		repo, typ, name, ok := object.Parse(strings.TrimPrefix(r.URL.Path, "/dest/"))
		if user, password, _ := r.BasicAuth(); !ok || user != "user" || password != "password" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		err := handler.Serve(w, r, rest.Target{
			Store: store, Destination: "dest", Repo: repo, Type: typ, Name: name,
			Operation: rest.OperationOf(r.Method, typ, name, r.URL.Query().Get("create") == "true"),
			AddKey:    true,
		})
		if err != nil {
			w.WriteHeader(statusOf(err))
		}
	}))
	t.Cleanup(server.Close)
	return storetest.HTTP(server.URL+"/dest/", "user", "password")
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return http.StatusNotFound
	case errors.Is(err, storage.ErrRange):
		return http.StatusRequestedRangeNotSatisfiable
	case errors.Is(err, storage.ErrCorrupt), errors.Is(err, storage.ErrShort):
		return http.StatusBadRequest
	}
	return http.StatusBadGateway
}

func TestConformsOverHTTP(t *testing.T) {
	for name, newStore := range map[string]func(t *testing.T) storage.Store{
		"memory": func(*testing.T) storage.Store { return storetest.NewMem() },
		"local": func(t *testing.T) storage.Store {
			t.Helper()
			store, err := local.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			return store
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storage.Store {
				t.Helper()
				return serve(t, newStore(t))
			}, storetest.OverHTTP())
		})
	}
}

// A server that restic would not work with must not pass for one.
func TestHTTPTakesOnlyWhatResticTakes(t *testing.T) {
	const v2 = "application/vnd.x.restic.rest.v2"
	name := storetest.Repo + "/keys/" + strings.Repeat("a", 64)
	put := func(s storage.Store) error { return s.Put(t.Context(), name, 1, strings.NewReader("x")) }
	get := func(s storage.Store) error {
		body, _, err := s.Open(t.Context(), name, 2, 3)
		if err == nil {
			body.Close()
		}
		return err
	}
	list := func(s storage.Store) error {
		return s.List(t.Context(), storetest.Repo+"/keys", func(fs.FileInfo) error { return nil })
	}
	for _, tt := range []struct {
		name   string
		do     func(storage.Store) error
		code   int
		header map[string]string
		body   string
		ok     bool
	}{
		{"a save", put, 200, nil, "", true},
		{"a save that was created", put, 201, nil, "", false},
		{"a save without content", put, 204, nil, "", false},
		{"a range", get, 206, map[string]string{"Content-Range": "bytes 2-4/9"}, "234", true},
		{"a range that is too long", get, 206, map[string]string{"Content-Range": "bytes 2-8/9"}, "2345678", false},
		{"a range without its size", get, 206, nil, "234", false},
		{"the whole instead of a range", get, 200, nil, "012345678", false},
		{"an empty list", list, 200, map[string]string{"Content-Type": v2}, "[]", true},
		{"a list", list, 200, map[string]string{"Content-Type": v2}, `[{"name":"a","size":1}]`, true},
		{"a list of another type", list, 200, map[string]string{"Content-Type": v2 + "; charset=utf-8"}, "[]", false},
		{"a list of names", list, 200, map[string]string{"Content-Type": v2}, `["a"]`, false},
		{"a list without its end", list, 200, map[string]string{"Content-Type": v2}, `[{"name":"a","size":1}`, false},
		{"two lists", list, 200, map[string]string{"Content-Type": v2}, "[][]", false},
		{"no list", list, 200, map[string]string{"Content-Type": v2}, "{}", false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for key, value := range tt.header {
				w.Header().Set(key, value)
			}
			w.WriteHeader(tt.code)
			_, _ = w.Write([]byte(tt.body)) // fails where the status allows no body
		}))
		if err := tt.do(storetest.HTTP(server.URL, "", "")); (err == nil) != tt.ok {
			t.Errorf("%s: %v; want success: %t", tt.name, err, tt.ok)
		}
		server.Close()
	}
}
