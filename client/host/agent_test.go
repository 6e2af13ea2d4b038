package host

import (
	"bytes"
	"testing"
)

// TestRowsFindTheirReader has a descriptor of the agent itself in
// testdata/script/modulebackup_output.txtar.
func TestRowsFindTheirReader(t *testing.T) {
	for name, c := range map[string]struct {
		vars map[string]string
		told bool
	}{
		"people are told nothing":             {nil, false},
		"a task without a descriptor":         {map[string]string{"AGENT_TASK_ID": "1"}, true},
		"an event, whose descriptor is 2":     {map[string]string{"AGENT_COMFD": "2"}, true},
		"a task with a descriptor of nothing": {map[string]string{"AGENT_COMFD": "x", "AGENT_TASK_ID": "1"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			sys := NewSystem(nil, nil, &stderr)
			sys.Env = NewEnvironment(func(name string) (string, bool) {
				value, ok := c.vars[name]
				return value, ok
			})
			sys.Agent().SetProgress(1)
			if got := stderr.Len() > 0; got != c.told {
				t.Errorf("stderr holds %q", stderr.String())
			}
		})
	}
}

func TestAgentRows(t *testing.T) {
	var out bytes.Buffer
	a := Agent{&out}
	a.SetProgress(42)
	a.SetWeight("10restore", 4)
	a.SetStatus("validation-failed")
	a.row("set-x", "two words", `a "quote"`, "", "line\nend")
	want := "set-progress 42\r\nset-weight 10restore 4\r\nset-status validation-failed\r\n" +
		"set-x \"two words\" \"a \"\"quote\"\"\" \"\" \"line\nend\"\r\n"
	if out.String() != want {
		t.Errorf("rows\n got %q\nwant %q", out.String(), want)
	}
}
