package client

import (
	"bytes"
	"testing"
)

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
