package gateway

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/statustest"
	"github.com/rclone-gateway/rclone-gateway/internal/docgen/docgentest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// newWatched is a gateway on a real Redis with a history, and with an audit log.
func newWatched(t *testing.T, w statustest.World, change ...func(*Options)) *administered {
	t.Helper()
	a := &administered{redis: redistest.Start(t), log: &testenv.Buffer{}}
	a.redis.SetupNS8()
	w.Now = time.Now()
	w.Fill(t, a.redis)
	opts := Defaults()
	opts.StateDir = t.TempDir()
	opts.Redis = catalog.Redis{Address: a.redis.Addr, Username: "node/1", Password: redistest.Password("node/1")}
	opts.Load = catalog.LoadOptions{NodeID: "1", ClusterStore: t.TempDir()}
	opts.Log = discard
	log, err := audit.Open(opts.StateDir+"/audit.jsonl", audit.Options{Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	opts.Audit = log
	for _, f := range change {
		f(&opts)
	}
	g, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	t.Cleanup(func() {
		if err := g.Stop(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	if err := g.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.handler, a.gateway = g.routes(), g
	return a
}

// fetch sends a GET as a user.
func (a *administered) fetch(path, from, user, password string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.RemoteAddr = from
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

// described are the schemas of the API's answers, which allow nothing that they do not
// name.
func described(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	text, err := json.Marshal(status.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	schemas := document.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any)
	for _, schema := range schemas {
		schema.(map[string]any)["additionalProperties"] = false
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", document); err != nil {
		t.Fatal(err)
	}
	return compiler
}

// TestAnswersAreWhatTheDescriptionSays asks every path of the API in worlds that are
// empty, fine and in trouble.
func TestAnswersAreWhatTheDescriptionSays(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]statustest.World{
		"empty": {}, "fine": {Modules: 1, Destinations: 1, Days: 30, Fine: true}, "in trouble": {Modules: 12, Destinations: 3, Days: 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newWatched(t, w)
			compiler := described(t)
			a.fetch("/-/api/v1/runs", here, "node/1", "wrong") // so that there is a failure
			a.redis.Do("HSET", catalog.GatewayKey("1"), "version", "v1", "seen", "1")
			for _, e := range status.Endpoints {
				path := strings.NewReplacer(
					"{app}/{uuid}", statustest.Path(0), "{id}", statustest.Destination(0)).Replace(e.Path)
				got := a.fetch(status.APIBase+path, here, "node/1", redistest.Password("node/1"))
				if strings.Contains(e.Path, "{") && w.Modules == 0 {
					if got.Code != http.StatusNotFound {
						t.Errorf("%s: %d without modules", path, got.Code)
					}
					continue
				}
				if got.Code != http.StatusOK || got.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("%s: %d, %v", path, got.Code, got.Header())
					continue
				}
				pointer := strings.NewReplacer("~", "~0", "/", "~1").Replace(e.Path)
				schema, err := compiler.Compile("openapi.json#/paths/" + pointer + "/get/responses/200/content/application~1json/schema")
				if err != nil {
					t.Fatal(err)
				}
				answer, err := jsonschema.UnmarshalJSON(got.Body)
				if err != nil {
					t.Fatal(err)
				}
				if err := schema.Validate(answer); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
			if got := a.fetch(status.OpenAPIPath, here, "node/1", redistest.Password("node/1")); got.Code != http.StatusOK {
				t.Errorf("the description: %d", got.Code)
			}
		})
	}
}

func TestReferenceOfAPI(t *testing.T) {
	t.Parallel()
	text, err := json.MarshalIndent(status.OpenAPI(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const name = "../docs/reference/openapi.json"
	text = append(text, '\n')
	if os.Getenv(docgentest.Update) != "" {
		if err := os.WriteFile(name, text, 0o644); err != nil { //nolint:gosec // everybody reads it
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, text) {
		t.Errorf("docs/reference/openapi.json is stale: run `make docs` (%v)", err)
	}
	for _, e := range status.Endpoints {
		if e.Doc == "" || strings.Contains(string(text), `"description": ""`) {
			t.Fatalf("something is not described: %s, or a field without the tag doc", e.Path)
		}
	}
}

func TestAPIIsForNodesAndAdministrators(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{Modules: 1, Destinations: 1, Days: 2, Fine: true})
	module := "module/" + statustest.Module(0).ID
	for _, tt := range []struct {
		name, from, user, password string
		want                       int
	}{
		{"a node", here, "node/1", redistest.Password("node/1"), http.StatusOK},
		{"a node in the cluster's network", redistest.LeaderIP + ":50000", "node/1", redistest.Password("node/1"), http.StatusOK},
		{"a node from elsewhere", "192.0.2.1:50000", "node/1", redistest.Password("node/1"), http.StatusForbidden},
		{"an administrator", here, statustest.Admin, redistest.Password(statustest.Admin), http.StatusOK},
		{"a module", here, module, redistest.Password(module), http.StatusForbidden},
		{"a module with a wrong password", here, module, "wrong", http.StatusUnauthorized},
		{"an administrator with a wrong password", here, statustest.Admin, "wrong", http.StatusUnauthorized},
		{"somebody unknown", here, "admin/bob", "wrong", http.StatusUnauthorized},
		{"nobody", here, "", "", http.StatusUnauthorized},
	} {
		for _, path := range []string{status.APIBase + "/overview", status.OpenAPIPath} {
			if got := a.fetch(path, tt.from, tt.user, tt.password); got.Code != tt.want {
				t.Errorf("%s, %s: %d, want %d", tt.name, path, got.Code, tt.want)
			}
		}
	}
	var activity status.ActivityAnswer
	got := a.fetch(status.APIBase+"/activity", here, "node/1", redistest.Password("node/1"))
	if err := json.Unmarshal(got.Body.Bytes(), &activity); err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	for _, f := range activity.Failures {
		reasons[f.User] = f.Reason
	}
	if reasons["admin/bob"] != "unknown_user" || reasons[statustest.Admin] != "wrong_password" || reasons[module] == "" {
		t.Errorf("the failures are %+v", activity.Failures)
	}
}

func TestAdministratorReachesNoRepository(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{Modules: 1, Destinations: 1})
	for _, path := range []string{
		"/", "/" + statustest.Destination(0) + "/", "/" + statustest.Destination(0) + "/" + statustest.Path(0) + "/config", MetricsPath,
	} {
		if got := a.fetch(path, here, statustest.Admin, redistest.Password(statustest.Admin)); got.Code != http.StatusForbidden {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}

func TestWhoGuessesPasswordsMustWait(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{})
	for range 10 {
		if got := a.fetch(status.APIBase+"/overview", here, statustest.Admin, "guess"); got.Code != http.StatusUnauthorized {
			t.Fatalf("a guess: %d", got.Code)
		}
	}
	got := a.fetch(status.APIBase+"/overview", here, statustest.Admin, redistest.Password(statustest.Admin))
	if got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") == "" {
		t.Errorf("the eleventh: %d, Retry-After %q", got.Code, got.Header().Get("Retry-After"))
	}
	if got := a.fetch(status.APIBase+"/overview", redistest.LeaderIP+":1", statustest.Admin, redistest.Password(statustest.Admin)); got.Code != http.StatusOK {
		t.Errorf("from elsewhere: %d", got.Code)
	}
	if got := a.fetch(status.APIBase+"/overview", here, "node/1", redistest.Password("node/1")); got.Code != http.StatusOK {
		t.Errorf("another user: %d", got.Code)
	}
}

func TestRunsAreChosen(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{Modules: 3, Destinations: 2, Days: 10})
	for query, want := range map[string]int{
		"": 100, "?limit=7": 7, "?module=mail1&kind=check": 2, "?schedule=2&module=nextcloud2&limit=5": 5, "?outcome=nothing": 0,
	} {
		var answer status.RunsAnswer
		got := a.fetch(status.APIBase+"/runs"+query, here, "node/1", redistest.Password("node/1"))
		if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil || len(answer.Runs) > want || want < 10 && len(answer.Runs) != want {
			t.Errorf("%q: %d runs, %v", query, len(answer.Runs), err)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=x", "?limit=100000"} {
		if got := a.fetch(status.APIBase+"/runs"+query, here, "node/1", redistest.Password("node/1")); got.Code != http.StatusBadRequest {
			t.Errorf("%q: %d", query, got.Code)
		}
	}
}
