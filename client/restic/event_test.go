package restic

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseEvent(t *testing.T) {
	tests := map[string]struct {
		line string
		want Event
	}{
		"progress of 0.14": {
			`{"message_type":"status","seconds_elapsed":1,"percent_done":0.25,"total_files":4,"files_done":1,"total_bytes":400,"bytes_done":100}`,
			&Status{PercentDone: 0.25, TotalFiles: 4, FilesDone: 1, TotalBytes: 400, BytesDone: 100, SecondsElapsed: 1},
		},
		"progress of a restore in 0.18": {
			`{"message_type":"status","seconds_elapsed":1,"percent_done":0.5,"total_files":2,"files_restored":1,"total_bytes":20,"bytes_restored":10}`,
			&Status{PercentDone: 0.5, TotalFiles: 2, FilesRestored: 1, TotalBytes: 20, BytesRestored: 10, SecondsElapsed: 1},
		},
		"the summary of 0.14": {
			`{"message_type":"summary","files_new":2,"data_added":1765,"total_files_processed":2,"total_bytes_processed":4,"total_duration":0.5,"snapshot_id":"890dfb46"}`,
			&Summary{FilesNew: 2, DataAdded: 1765, TotalFilesProcessed: 2, TotalBytesProcessed: 4, TotalDuration: 0.5, SnapshotID: "890dfb46"},
		},
		"the summary of 0.18": {
			`{"message_type":"summary","data_added":1042,"data_added_packed":826,"total_files_processed":2,"backup_start":"2026-11-22T19:29:06Z","snapshot_id":"10f8"}`,
			&Summary{DataAdded: 1042, DataAddedPacked: 826, TotalFilesProcessed: 2, SnapshotID: "10f8"},
		},
		"a file's error of 0.18": {
			`{"message_type":"error","error":{"message":"open /a: permission denied"},"during":"archival","item":"/a"}`,
			&FileError{Item: "/a", During: "archival", Message: "open /a: permission denied"},
		},
		"a file's error that repeats the path": {
			`{"message_type":"error","error":{"message":"/srv/a: open a: permission denied"},"during":"archival","item":"/srv/a"}`,
			&FileError{Item: "/srv/a", During: "archival", Message: "open a: permission denied"},
		},
		"a file's error of 0.14": {
			`{"message_type":"error","error":{"Op":"open","Path":"/a","Err":13},"during":"archival","item":"/a"}`,
			&FileError{Item: "/a", During: "archival", Message: "open: permission denied"},
		},
		"a file's error without a shape": {
			`{"message_type":"error","error":"what","during":"scan","item":"/a"}`,
			&FileError{Item: "/a", During: "scan", Message: "cannot be read"},
		},
		"the last word of 0.17": {
			`{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}` + "\r\n",
			&ExitMessage{Code: 12, Message: "Fatal: wrong password or no key found"},
		},
		"an event of no use":    {`{"message_type":"verbose_status","action":"new"}`, nil},
		"plain text":            {"created new cache in /x", nil},
		"nothing":               {"", nil},
		"half an event":         {`{"message_type":"status","percent_done":0.`, nil},
		"an event of odd types": {`{"message_type":"status","percent_done":"half"}`, nil},
		"another JSON value":    {`[{"message_type":"status"}]`, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := ParseEvent([]byte(test.line)); !reflect.DeepEqual(got, test.want) {
				t.Errorf("ParseEvent = %+v, want %+v", got, test.want)
			}
		})
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(`{"message_type":"error","error":{"message":"x"},"item":"/a"}`))
	f.Add([]byte(`{"message_type":"status","percent_done":1e400}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if event := ParseEvent(line); event != nil && !bytes.Contains(line, []byte("message_type")) &&
			!bytes.Contains(line, []byte(`\u`)) && !strings.Contains(strings.ToLower(string(line)), "message_type") {
			t.Errorf("%q is taken for %+v", line, event)
		}
	})
}

func TestLines(t *testing.T) {
	tests := map[string]struct {
		writes, want []string
	}{
		"lines in one write":        {[]string{"a\nb\n"}, []string{"a", "b"}},
		"a line in several writes":  {[]string{"a", "b", "c\nd"}, []string{"abc", "d"}},
		"ends of lines of Windows":  {[]string{"a\r\nb\r\n"}, []string{"a", "b"}},
		"blank lines are left out":  {[]string{"\n\na\n\n"}, []string{"a"}},
		"a line without an end":     {[]string{strings.Repeat("x", maxLine), "y\n"}, []string{strings.Repeat("x", maxLine), "y"}},
		"nothing":                   {nil, nil},
		"the end of a line by turn": {[]string{"a\r", "\nb"}, []string{"a", "b"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			lines := NewLines(func(line []byte) { got = append(got, string(line)) })
			for _, w := range test.writes {
				if n, err := lines.Write([]byte(w)); n != len(w) || err != nil {
					t.Fatalf("Write = %d, %v", n, err)
				}
			}
			lines.Flush()
			if !slices.Equal(got, test.want) {
				t.Errorf("lines = %q, want %q", got, test.want)
			}
		})
	}
}

func TestClassify(t *testing.T) {
	tests := map[string]struct {
		runtime Runtime
		code    int
		stderr  string
		want    Reason
	}{
		"0.18, no repository":            {Native, 10, "", NoRepository},
		"0.18, locked":                   {Native, 11, "", Locked},
		"0.18, wrong key":                {Native, 12, "", WrongKey},
		"all, unreadable files":          {Native, 3, "", Incomplete},
		"0.14, wrong key":                {Native, 1, "Fatal: wrong password or no key found", WrongKey},
		"0.14, locked":                   {Native, 1, "unable to create lock in backend: repository is already locked exclusively by PID 1 on vm by root", Locked},
		"0.14, no repository":            {Native, 1, "Fatal: unable to open config file: Stat: <config/> does not exist\nIs there a repository at the following location?", NoRepository},
		"no gateway":                     {Native, 1, `Fatal: unable to open config file: Head "http://x/config": dial tcp 127.0.0.1:4694: connect: connection refused` + "\nIs there a repository at the following location?", Unreachable},
		"0.14, the destination is away":  {Native, 1, "Save(<data/x>) returned error: unexpected HTTP response (503): 503 Service Unavailable", Unreachable},
		"0.18, the quota":                {Native, 1, `{"message_type":"exit_error","code":1,"message":"Fatal: server response unexpected: 507 Insufficient Storage (507)"}`, Full},
		"refused":                        {Native, 1, "unexpected HTTP response (403): 403 Forbidden", Forbidden},
		"something else":                 {Native, 1, "panic", Unknown},
		"podman itself":                  {Podman, 125, "Error: no such image", NoRuntime},
		"no restic in the image":         {Podman, 127, "", NoRuntime},
		"killed after a retry":           {Native, -1, "Load(<lock/x>) returned error, retrying: unexpected HTTP response (503): 503 Service Unavailable", Unknown},
		"the same number without podman": {Native, 125, "", Unknown},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := classify(test.runtime, test.code, test.stderr); got.Reason != test.want || got.Code != test.code {
				t.Errorf("classify = %+v, want reason %d", got, test.want)
			}
		})
	}
}

func TestKilledIsNotAnExitStatus(t *testing.T) {
	for code, want := range map[int]bool{-1: true, 137: true, 1: false, 11: false, 130: false} {
		failure := classify(Podman, code, "the end")
		if failure.Killed() != want || strings.Contains(failure.Error(), "restic was killed: the end") != want {
			t.Errorf("status %d: Killed = %v, %v", code, failure.Killed(), failure)
		}
	}
}

func TestFailureIsReadable(t *testing.T) {
	got := classify(Native, 1, "plain\n"+`{"message_type":"error","error":{"message":"denied"},"item":"/a"}`+"\n"+
		`{"message_type":"exit_error","code":1,"message":"Fatal: it failed"}`+"\n").Error()
	if want := "restic ended with exit status 1: plain\n/a: denied\nFatal: it failed"; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
}

func TestFailureOfManyFilesIsShort(t *testing.T) {
	var stderr strings.Builder
	for n := range 30 {
		for range 3 { // parts of the file
			fmt.Fprintf(&stderr, `{"message_type":"error","error":{"message":"disk full"},"item":"/file%d"}`+"\n", n)
		}
	}
	stderr.WriteString("Fatal: There were 90 errors\n")
	var said tail
	_, _ = said.Write([]byte(stderr.String()))
	lines := strings.Split(classify(Native, 1, said.String()).Detail, "\n")
	if len(lines) != mostLines || lines[mostLines-1] != "Fatal: There were 90 errors" || lines[mostLines-2] != "/file29: disk full" {
		t.Errorf("what is told is %q", lines)
	}
}

func TestTailKeepsWholeLines(t *testing.T) {
	for name, c := range map[string]struct{ said, want string }{
		"little":            {"one\ntwo\n", "one\ntwo\n"},
		"a cut line":        {"begin" + strings.Repeat("x", tailSize) + "\nend\n", "end\n"},
		"one endless line":  {strings.Repeat("x", tailSize+1), strings.Repeat("x", tailSize)},
		"the same, at last": {strings.Repeat("x", tailSize) + "\n", strings.Repeat("x", tailSize-1) + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var said tail
			for half := range slices.Chunk([]byte(c.said), 1000) {
				_, _ = said.Write(half)
			}
			if got := said.String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
