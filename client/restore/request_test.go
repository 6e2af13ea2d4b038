package restore

import (
	"errors"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/actioninput"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

const requestDestination = "b6da6872-c6eb-4f36-8415-5ab30c05a8c9"

func TestRestoreRequestIsTakenAsTheAgentSendsIt(t *testing.T) {
	full := `{"repository":"` + requestDestination + `","path":"mymodule/11111111-1111-4111-8111-111111111111",
		"snapshot":"45457462","environment":{"MODULE_ID":"mymodule1","N":1},"replace":true}`
	got, err := parseRestoreRequest([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	if got.Repository != requestDestination || got.app() != "mymodule" ||
		got.uuid() != "11111111-1111-4111-8111-111111111111" || got.Snapshot != "45457462" ||
		!got.Replace || len(got.Environment) != 2 {
		t.Errorf("got %+v", got)
	}
	for name, input := range map[string]string{
		"only what is required": `{"repository":"d","path":"a/u"}`,
		"null for the rest":     `{"repository":"d","path":"a/u","snapshot":null,"environment":null,"replace":null}`,
		"the latest snapshot":   `{"repository":"d","path":"a/u","snapshot":"latest"}`,
	} {
		if _, err := parseRestoreRequest([]byte(input)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRestoreRequestErrorsNameTheField(t *testing.T) {
	for name, c := range map[string]struct{ input, field, parameter, kind string }{
		"nothing":              {"", actioninput.WholeInput, actioninput.WholeInput, actioninput.Empty},
		"blanks":               {" \n", actioninput.WholeInput, actioninput.WholeInput, actioninput.Empty},
		"truncated":            {`{"repository":"d","pa`, actioninput.WholeInput, actioninput.WholeInput, actioninput.NotJSON},
		"two documents":        {`{"repository":"d","path":"a/u"}{}`, actioninput.WholeInput, actioninput.WholeInput, actioninput.NotJSON},
		"binary noise":         {"\x00\xff\x17", actioninput.WholeInput, actioninput.WholeInput, actioninput.NotJSON},
		"a list":               {`[]`, actioninput.WholeInput, actioninput.WholeInput, actioninput.FieldWrongType},
		"null":                 {`null`, actioninput.WholeInput, actioninput.WholeInput, actioninput.FieldWrongType},
		"no repository":        {`{"path":"a/u"}`, actioninput.WholeInput, "repository", actioninput.FieldRequired},
		"a null path":          {`{"repository":"d","path":null}`, "path", "path", actioninput.FieldWrongType},
		"a number for a path":  {`{"repository":"d","path":7}`, "path", "path", actioninput.FieldWrongType},
		"a path that climbs":   {`{"repository":"d","path":"../u"}`, "path", "path", actioninput.FieldMalformed},
		"a path of one level":  {`{"repository":"d","path":"a"}`, "path", "path", actioninput.FieldMalformed},
		"an odd repository":    {`{"repository":"d/x?","path":"a/u"}`, "repository", "repository", actioninput.FieldMalformed},
		"a flag for a snap":    {`{"repository":"d","path":"a/u","snapshot":"--delete"}`, "snapshot", "snapshot", actioninput.FieldMalformed},
		"a text for replace":   {`{"repository":"d","path":"a/u","replace":"yes"}`, "replace", "replace", actioninput.FieldWrongType},
		"a list for variables": {`{"repository":"d","path":"a/u","environment":[]}`, "environment", "environment", actioninput.FieldWrongType},
		"an unknown field":     {`{"repository":"d","path":"a/u","snapshots":"x"}`, "snapshots", "snapshots", actioninput.FieldUnexpected},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseRestoreRequest([]byte(c.input))
			wrong, ok := errors.AsType[actioninput.Error](err)
			if !ok || len(wrong) != 1 {
				t.Fatalf("error %v, want one wrong field", err)
			}
			if w := wrong[0]; w.Field != c.field || w.Parameter != c.parameter || w.Error != c.kind {
				t.Errorf("got %+v", w)
			}
		})
	}
}

func FuzzParseRestoreRequest(f *testing.F) {
	f.Add([]byte(`{"repository":"d","path":"a/u","snapshot":"","environment":{},"replace":false}`))
	f.Add([]byte(`{"repository":`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRestoreRequest(data)
		if err != nil {
			return
		}
		if strings.Contains(r.Path, "..") && !host.RepositoryPath.MatchString(r.Path) || strings.HasPrefix(r.Snapshot, "-") {
			t.Errorf("accepted %+v", r)
		}
	})
}
