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
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// serve puts the protocol's handler in front of a store, without any users.
func serve(t *testing.T, store rest.Store) rest.Store {
	t.Helper()
	handler := rest.NewHandler(rest.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		repo, typ, name, ok := rest.ParseObject(strings.TrimPrefix(r.URL.Path, "/dest/"))
		if user, password, _ := r.BasicAuth(); !ok || user != "user" || password != "password" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		err := handler.Serve(w, r, rest.Target{
			Store: store, Destination: "dest", Repo: repo, Type: typ, Name: name,
			Create: r.URL.Query().Get("create") == "true",
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
	case errors.Is(err, rest.ErrRange):
		return http.StatusRequestedRangeNotSatisfiable
	case errors.Is(err, rest.ErrCorrupt), errors.Is(err, rest.ErrShort):
		return http.StatusBadRequest
	}
	return http.StatusBadGateway
}

func TestConformsOverHTTP(t *testing.T) {
	for name, newStore := range map[string]func(t *testing.T) rest.Store{
		"memory": func(*testing.T) rest.Store { return storetest.NewMem() },
		"local": func(t *testing.T) rest.Store {
			store, err := local.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			return store
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) rest.Store { return serve(t, newStore(t)) }, storetest.OverHTTP())
		})
	}
}
