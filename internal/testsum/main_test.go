package main

import (
	"strings"
	"testing"
)

func TestSummarise(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name           string
		events         []string
		passed, failed int
		want           string
	}{
		{
			name: "what passes is one line for its package",
			events: []string{
				`{"Action":"start","Package":"p"}`,
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"PASS\n"}`,
				`{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			passed: 1,
			want:   "ok  \tp\t0.1s\n\n1 passed, 0 failed\n",
		},
		{
			name: "what fails shows its output",
			events: []string{
				`{"Action":"start","Package":"p"}`,
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: no\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			failed: 1,
			want:   "    a_test.go:1: no\nFAIL\tp\t0.1s\n\nfailed: p TestA\n    a_test.go:1: no\n\n0 passed, 1 failed\n",
		},
		{
			name: "a package that does not build is one failure",
			events: []string{
				`{"ImportPath":"p","Action":"build-output","Output":"a.go:1: undefined: x\n"}`,
				`{"ImportPath":"p","Action":"build-fail"}`,
				`{"Action":"start","Package":"p"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}`,
				`{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			},
			failed: 1,
			want:   "FAIL\tp [build failed]\na.go:1: undefined: x\n\n0 passed, 1 failed\n",
		},
		{
			name: "a test that never ended has failed",
			events: []string{
				`{"Action":"start","Package":"p"}`,
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"exit status 3\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			failed: 1,
			want:   "exit status 3\n\nfailed: p TestA\nexit status 3\n\n0 passed, 1 failed\n",
		},
		{
			name: "a stream cut in the middle of a package is a failure",
			events: []string{
				`{"Action":"start","Package":"p"}`,
				`{"Action":"run","Package":"p","Test":"TestA"}`,
			},
			failed: 1,
			want:   "\nfailed: p TestA\n\n0 passed, 1 failed\n",
		},
		{
			name: "what is skipped is told by its reason and not counted",
			events: []string{
				`{"Action":"start","Package":"p"}`,
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: install redis-server\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}`,
				`{"Action":"skip","Package":"p","Test":"TestA"}`,
				`{"Action":"run","Package":"p","Test":"TestB"}`,
				`{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: install redis-server\n"}`,
				`{"Action":"skip","Package":"p","Test":"TestB"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			want: "\n2 skipped, install redis-server: TestA and others\n\n0 passed, 0 failed\n",
		},
		{
			name: "the slowest are listed, the slowest first",
			events: []string{
				`{"Action":"start","Package":"m/p"}`,
				`{"Action":"pass","Package":"m/p","Test":"TestA","Elapsed":21.4}`,
				`{"Action":"pass","Package":"m/p","Test":"TestB","Elapsed":0.3}`,
				`{"Action":"pass","Package":"m/p","Test":"TestC/sub","Elapsed":100}`,
				`{"Action":"pass","Package":"m/p"}`,
			},
			passed: 3,
			want:   "\nslowest:\n   100 s  p TestC/sub\n    21 s  p TestA\n\n3 passed, 0 failed\n",
		},
		{
			name:   "complaints of the go command are passed on",
			events: []string{`go: no such directory`},
			want:   "go: no such directory\n\n0 passed, 0 failed\n",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			passed, failed, err := summarise(strings.NewReader(strings.Join(c.events, "\n")+"\n"), &out)
			if err != nil {
				t.Fatal(err)
			}
			if passed != c.passed || failed != c.failed {
				t.Errorf("counted %d passed and %d failed, want %d and %d", passed, failed, c.passed, c.failed)
			}
			if got := out.String(); got != c.want {
				t.Errorf("printed\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
