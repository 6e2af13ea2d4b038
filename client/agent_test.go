package client

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
			sys := newSystem(nil, nil, &stderr)
			sys.env = newEnvironment(func(name string) (string, bool) {
				value, ok := c.vars[name]
				return value, ok
			})
			sys.agent().setProgress(1)
			if got := stderr.Len() > 0; got != c.told {
				t.Errorf("stderr holds %q", stderr.String())
			}
		})
	}
}

func TestAgentRows(t *testing.T) {
	var out bytes.Buffer
	a := agent{&out}
	a.setProgress(42)
	a.setWeight("10restore", 4)
	a.setStatus("validation-failed")
	a.row("set-x", "two words", `a "quote"`, "", "line\nend")
	want := "set-progress 42\r\nset-weight 10restore 4\r\nset-status validation-failed\r\n" +
		"set-x \"two words\" \"a \"\"quote\"\"\" \"\" \"line\nend\"\r\n"
	if out.String() != want {
		t.Errorf("rows\n got %q\nwant %q", out.String(), want)
	}
}
