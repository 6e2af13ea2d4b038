package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// passwordPath asks for the password of a repository.
func passwordPath(repository string) string {
	return adminapi.ModulePasswordPath + "?repository=" + repository
}

// outcomesOf is a body of outcomes of a schedule.
func outcomesOf(t *testing.T, change func(*adminapi.ModuleOutcome), schedules ...string) []byte {
	t.Helper()
	var posted adminapi.ModuleOutcomes
	for i, id := range schedules {
		o := adminapi.ModuleOutcome{ID: fmt.Sprintf("run-%d", i), Schedule: id, Outcome: "failed", Ended: time.Now()}
		if change != nil {
			change(&o)
		}
		posted.Outcomes = append(posted.Outcomes, o)
	}
	body, err := json.Marshal(posted)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestModuleAPITellsAModuleOfItselfAlone is who hears what.
func TestModuleAPITellsAModuleOfItselfAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.AddSchedule(redistest.Schedule{ID: "1", Repository: localDest, Instances: []string{"mail1"}})
	c.AddSchedule(redistest.Schedule{ID: "2", Repository: localDest, Instances: []string{"wiki7"}})
	c.Do("HSET", catalog.ModulePassword, mailUUID, "the own password of mail1")
	copied := redistest.Module{ID: "mail2", UUID: "2f6a1b9c-7d1e-4a54-9a3c-5b1f0c7e8d22"}
	c.AddModules(copied)
	c.Grant(copied.UUID, mailUUID)
	g := c.serve(t)
	mail, wiki := g.module("mail1"), g.module("wiki7")

	var facts adminapi.ModuleFacts
	if err := json.Unmarshal(mail.want(t, http.StatusOK, http.MethodGet, adminapi.ModuleFactsPath, nil).body, &facts); err != nil {
		t.Fatal(err)
	}
	if facts.ID != "mail1" || facts.UUID != mailUUID || facts.Stale || len(facts.Schedules) != 1 || facts.Schedules[0].ID != "1" || len(facts.Destinations) != 1 {
		t.Errorf("mail1 is told %+v", facts)
	}
	var own adminapi.ModulePassword
	for _, reader := range []caller{mail, g.module(copied.ID)} { // who may restore from it opens it, too
		answer := reader.want(t, http.StatusOK, http.MethodGet, passwordPath(localDest+"/"+mailRepo), nil)
		if err := json.Unmarshal(answer.body, &own); err != nil || !own.Own || own.Password != "the own password of mail1" {
			t.Errorf("of the password of mail1 is heard that it is its own: %v, %v", own.Own, err)
		}
	}
	nobody := caller{base: g.url, client: http.DefaultClient}
	for _, test := range []struct {
		name   string
		as     caller
		path   string
		status int
	}{
		{"another's password", wiki, passwordPath(localDest + "/" + mailRepo), http.StatusForbidden},
		{"the password of no repository", wiki, passwordPath(localDest), http.StatusForbidden},
		{"its own at a time", mail, passwordPath(localDest + "/" + mailRepo + "@2026-11-29T20:00:00Z"), http.StatusNotFound},
		{"at a destination of nobody's", mail, passwordPath(moreDest + "/" + mailRepo), http.StatusNotFound},
		{"a path that leads outside", mail, passwordPath(localDest + "/x/../" + mailRepo), http.StatusForbidden},
		{"a node", g.node(), adminapi.ModuleFactsPath, http.StatusForbidden},
		{"a node, of a password", g.node(), passwordPath(localDest + "/" + mailRepo), http.StatusForbidden},
		{"without credentials", nobody, adminapi.ModuleFactsPath, http.StatusUnauthorized},
		{"with a wrong password", mail.with("module/mail1", wrongPassword), adminapi.ModuleDumpsPath, http.StatusUnauthorized},
	} {
		if got := test.as.call(t, http.MethodGet, test.path, nil); got.status != test.status || bytes.Contains(got.body, []byte("own password")) {
			t.Errorf("%s: %d, want %d: %s", test.name, got.status, test.status, got.body)
		}
	}
}

// TestModuleAPIBoundsOutcomes posts what no backup does.
func TestModuleAPIBoundsOutcomes(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.AddSchedule(redistest.Schedule{ID: "1", Repository: localDest, Instances: []string{"mail1"}})
	c.AddSchedule(redistest.Schedule{ID: "2", Repository: localDest, Instances: []string{"wiki7"}})
	g := c.serve(t)
	mail := g.module("mail1")
	for name, test := range map[string]struct {
		body   []byte
		status int
	}{
		"no JSON":                   {[]byte("{"), http.StatusBadRequest},
		"a field that is not there": {[]byte(`{"outcomes":[{"node":"2"}]}`), http.StatusBadRequest},
		"none":                      {outcomesOf(t, nil), http.StatusBadRequest},
		"too many":                  {outcomesOf(t, nil, strings.Split(strings.Repeat("1,", adminapi.MaxOutcomes)+"1", ",")...), http.StatusBadRequest},
		"too large":                 {outcomesOf(t, func(o *adminapi.ModuleOutcome) { o.Error = strings.Repeat("x", adminapi.MaxOutcomesBody) }, "1"), http.StatusRequestEntityTooLarge},
		"another's schedule":        {outcomesOf(t, nil, "2"), http.StatusForbidden},
		"an outcome of nobody's":    {outcomesOf(t, func(o *adminapi.ModuleOutcome) { o.Outcome = "skipped" }, "1"), http.StatusBadRequest},
		"long ago":                  {outcomesOf(t, func(o *adminapi.ModuleOutcome) { o.Ended = time.Now().Add(-2 * adminapi.MaxOutcomeAge) }, "1"), http.StatusBadRequest},
		"an ID of many lines":       {outcomesOf(t, func(o *adminapi.ModuleOutcome) { o.ID = "a\nb" }, "1"), http.StatusBadRequest},
	} {
		if got := mail.call(t, http.MethodPost, adminapi.ModuleOutcomesPath, test.body); got.status != test.status {
			t.Errorf("%s: %d, want %d: %s", name, got.status, test.status, got.body)
		}
	}
	if left := c.Do("KEYS", "node/*/backup_history/*"); len(left.([]any)) > 0 {
		t.Errorf("refused outcomes wrote %v", left)
	}
	ahead := outcomesOf(t, func(o *adminapi.ModuleOutcome) { o.Ended = time.Now().Add(time.Hour); o.Error = "a\nb\x00" }, "1", "2")
	mail.want(t, http.StatusOK, http.MethodPost, adminapi.ModuleOutcomesPath, ahead)
	last, _ := c.Do("HGET", catalog.LastRunsKey("1", "1"), "mail1 backup").(string)
	var run struct {
		Node, Module, Error string
		Ended               time.Time
	}
	if err := json.Unmarshal([]byte(last), &run); err != nil || run.Node != "1" || run.Module != "mail1" || run.Error != "a b" || run.Ended.After(time.Now()) {
		t.Errorf("recorded is %s, %v", last, err)
	}
	for range 70 {
		if mail.call(t, http.MethodPost, adminapi.ModuleOutcomesPath, ahead).status == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("80 posts at once are all taken")
}

// TestModuleAPIWithoutRedis says what it knows.
func TestModuleAPIWithoutRedis(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.AddSchedule(redistest.Schedule{ID: "1", Repository: localDest, Instances: []string{"mail1"}})
	g := c.serve(t)
	mail := g.module("mail1")
	c.Stop()
	var facts adminapi.ModuleFacts
	if err := json.Unmarshal(mail.want(t, http.StatusOK, http.MethodGet, adminapi.ModuleFactsPath, nil).body, &facts); err != nil || !facts.Stale || len(facts.Schedules) != 1 {
		t.Errorf("it is told %+v, %v", facts, err)
	}
	mail.want(t, http.StatusServiceUnavailable, http.MethodGet, passwordPath(localDest+"/"+mailRepo), nil)
	mail.want(t, http.StatusServiceUnavailable, http.MethodPost, adminapi.ModuleOutcomesPath, outcomesOf(t, nil, "1"))
}
