package local

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// TestOperationsTakeFewSystemCalls counts those on files. What a process does beside
// them is less than one for each of many operations.
func TestOperationsTakeFewSystemCalls(t *testing.T) {
	const times = 200
	operations := []struct {
		name string
		do   func(s *Store, i int) error
		most int
	}{
		// The object is opened and looked at, and closed.
		{"stat", func(s *Store, _ int) error { _, err := s.Stat(t.Context(), pack); return err }, 3},
		// The same, and Go asks how it was opened.
		{"open", func(s *Store, _ int) error {
			body, _, err := s.Open(t.Context(), pack, 0, -1)
			if err == nil {
				err = body.Close()
			}
			return err
		}, 4},
		// The root, and the directory in it, are opened and closed. A file without a name
		// is opened, synced, named and closed, beside what is written, and its directory is
		// synced. Nobody asks how the file was opened.
		{"put", func(s *Store, i int) error {
			name := pack[:len(pack)-4] + fmt.Sprintf("%04x", i)
			return s.Put(t.Context(), name, 4, strings.NewReader("pack"))
		}, 9},
		// The root, and the directory, are opened and closed; between, it removes and syncs.
		{"remove", func(s *Store, i int) error {
			return s.Remove(t.Context(), pack[:len(pack)-4]+fmt.Sprintf("%04x", i))
		}, 6},
	}
	if root := os.Getenv(childEnv); root != "" {
		s, err := Open(root)
		if err != nil {
			t.Fatal(err)
		}
		operation := operations[atoi(t, os.Getenv(childEnv+"_NAME"))]
		for i := range times {
			if err := operation.do(s, i); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		testenv.Missing(t, "no strace: install it, or run make deps")
	}
	s := open(t)
	put(t, s, pack, []byte("pack"))
	for i, operation := range operations {
		calls := t.TempDir() + "/calls"
		cmd := child(t, s.root)
		cmd.Path, cmd.Args = strace, append([]string{"strace", "-f", "-c", "-o", calls, "-e",
			"trace=openat,openat2,newfstatat,fstat,close,fcntl,lseek,pwrite64,fsync,fdatasync,linkat,renameat2,unlinkat"}, cmd.Args...)
		cmd.Env = append(cmd.Env, childEnv+"_NAME="+strconv.Itoa(i))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", operation.name, err, out)
		}
		got := total(t, calls) / times
		t.Logf("%s: %d", operation.name, got)
		if got > operation.most {
			t.Errorf("%s takes %d system calls, want at most %d", operation.name, got, operation.most)
		}
	}
}

// total is the number of calls in a summary of strace.
func total(t *testing.T, summary string) int {
	t.Helper()
	text, err := os.ReadFile(summary)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if fields := strings.Fields(string(line)); len(fields) > 3 && fields[len(fields)-1] == "total" {
			return atoi(t, fields[3])
		}
	}
	t.Fatalf("no total in\n%s", text)
	return 0
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
