package client

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// TestStandaloneScripts runs testdata/standalone, each script against a plain
// Redis of its own at $REDIS_ADDRESS, in which user "default" may do everything.
// The user "cluster" with $ADMIN_PASSWORD may do so as well.
func TestStandaloneScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/standalone",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			server := redistest.Start(t)
			env.Setenv("REDIS_ADDRESS", server.Addr)
			env.Setenv("REDIS_REPLICA_ADDRESS", server.Addr)
			env.Setenv("ADMIN_PASSWORD", redistest.Password(redistest.AdminUser))
			env.Setenv("NS8_AGENT_ENV", filepath.Join(env.WorkDir, "node.env"))
			env.Setenv("NS8_CORE_ENV", filepath.Join(env.WorkDir, "core.env"))
			env.Setenv("GATEWAY_MODULES_DIR", filepath.Join(env.WorkDir, "modules.d"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exitstatus": scriptExitStatus,
			"redis":      scriptRedis(t),
		},
	})
}

// scriptRedis runs one command as the user whose environment is in a file, or as
// "default" for -, and compares what it answers with a text, of which an answer may
// have more: redis module.env NOPERM GET key. With ! the answer must not hold it.
func scriptRedis(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		login := host.Credentials{}
		if args[0] != "-" {
			vars := envfile.Parse([]byte(ts.ReadFile(args[0])))
			login = host.Credentials{User: vars["REDIS_USER"], Password: vars["REDIS_PASSWORD"]}
		}
		command := make([]any, len(args)-2)
		for i, word := range args[2:] {
			command[i] = word
		}
		answer := ""
		rdb, err := host.ConnectRedis(t.Context(), redisconn.Config{Address: ts.Getenv("REDIS_ADDRESS")}, login)
		if err == nil {
			defer func() { _ = rdb.Close() }()
			var reply any
			reply, err = rdb.Do(t.Context(), command...).Result()
			answer = fmt.Sprint(reply)
		}
		if err != nil {
			answer = err.Error()
		}
		if strings.Contains(answer, args[1]) == neg {
			ts.Fatalf("%q answered %q", args[2:], answer)
		}
	}
}
