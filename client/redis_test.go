package client

import (
	"bytes"
	"context"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// outcome is what a call of an applet gave.
type outcome struct {
	code           int
	stdout, stderr string
}

// callApplet runs an applet in this process with vars as its whole environment.
func callApplet(t *testing.T, vars map[string]string, stdin string, args ...string) outcome {
	t.Helper()
	vars = maps.Collect(maps.All(vars))
	for _, name := range []string{"NS8_AGENT_ENV", "NS8_CORE_ENV"} {
		if vars[name] == "" {
			vars[name] = filepath.Join(t.TempDir(), "absent")
		}
	}
	var stdout, stderr bytes.Buffer
	sys := host.NewSystem(strings.NewReader(stdin), &stdout, &stderr)
	sys.Env = host.NewEnvironment(func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	})
	sys.Env.Set = func(name, value string) error { vars[name] = value; return nil }
	code := execute(t.Context(), sys, args)
	return outcome{code, stdout.String(), stderr.String()}
}

// succeed fails the test unless the applet ended with status 0.
func (o outcome) succeed(t *testing.T) outcome {
	t.Helper()
	if o.code != 0 {
		t.Fatalf("exit status %d: %s", o.code, o.stderr)
	}
	return o
}

// fail fails the test unless the applet ended with the code, wrote nothing to
// stdout and said the words on stderr.
func (o outcome) fail(t *testing.T, code exit.Code, words string) {
	t.Helper()
	if o.code != int(code) || !strings.Contains(o.stderr, words) {
		t.Errorf("exit status %d: %q; want %d and a text with %q", o.code, o.stderr, code, words)
	}
	if o.stdout != "" {
		t.Errorf("a failure wrote %q to stdout", o.stdout)
	}
}

// moduleVars is the environment in which the agent of the module runs.
func moduleVars(server *redistest.Server, id string) map[string]string {
	user := "module/" + id
	return map[string]string{
		"MODULE_ID": id, "AGENT_ID": user,
		"REDIS_ADDRESS": server.Addr, "REDIS_REPLICA_ADDRESS": server.Addr,
		"REDIS_USER": user, "REDIS_PASSWORD": redistest.Password(user),
	}
}

// cluster is a Redis as NethServer 8 sets it up, with two modules.
func cluster(t *testing.T) *redistest.Server {
	t.Helper()
	server := redistest.Start(t)
	server.SetupNS8()
	server.AddModules(
		redistest.Module{ID: "mymodule1", UUID: "11111111-1111-4111-8111-111111111111"},
		redistest.Module{ID: "mymodule2", UUID: "22222222-2222-4222-8222-222222222222"})
	return server
}

// fill makes a key of every type below prefix, and returns their names.
func fill(server *redistest.Server, prefix string) []string {
	server.Do("SET", prefix+"string", "a\x00b\r\n\xff")
	server.Do("HSET", prefix+"hash", "field", "1", "other field", "zwei")
	server.Do("RPUSH", prefix+"list", "a", "b", "a")
	server.Do("SADD", prefix+"set", "x", "y")
	server.Do("ZADD", prefix+"zset", "1.5", "one", "-3", "minus three")
	server.Do("XADD", prefix+"stream", "5-1", "k", "v")
	server.Do("XGROUP", "CREATE", prefix+"stream", "readers", "5-1")
	server.Do("SET", prefix+"odd \"name\"\n*", "odd")
	names := []string{"string", "hash", "list", "set", "zset", "stream", "odd \"name\"\n*"}
	for i, name := range names {
		names[i] = prefix + name
	}
	return names
}

// content returns the keys' values: what DUMP gives, but for a set its sorted
// members, because a restored set may keep them in another order.
func content(t *testing.T, server *redistest.Server, names ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range names {
		value, err := server.Admin().Dump(t.Context(), name).Result()
		if err != nil {
			t.Fatalf("dump %q: %v", name, err)
		}
		if members, err := server.Admin().SMembers(t.Context(), name).Result(); err == nil {
			slices.Sort(members)
			value = "set of " + strings.Join(members, ",")
		}
		all[name] = value
	}
	return all
}

// checkTTL wants the key to live for somewhat less than want.
func checkTTL(t *testing.T, server *redistest.Server, name string, want time.Duration) {
	t.Helper()
	got := server.Admin().PTTL(t.Context(), name).Val()
	if want == 0 && got != -1 || want > 0 && (got > want || got < want-time.Minute) {
		t.Errorf("key %q lives for %v, want %v", name, got, want)
	}
}

func TestRedisKeysOfEveryTypeSurviveDumpAndRestore(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	vars := moduleVars(server, "mymodule1")
	names := fill(server, "module/mymodule1/")
	want := content(t, server, names...)
	for _, name := range names {
		dump := callApplet(t, vars, "", "redis-dump", name).succeed(t).stdout
		if dump != server.Admin().Dump(t.Context(), name).Val() {
			t.Fatalf("redis-dump %q is not what DUMP gives", name)
		}
		server.Do("DEL", name)
		callApplet(t, vars, dump, "redis-restore", name, "3600000").succeed(t)
		checkTTL(t, server, name, time.Hour)
	}
	if !maps.Equal(content(t, server, names...), want) {
		t.Error("the restored keys differ from the dumped ones")
	}
}

func TestRedisLargeValuesSurviveDumpAndRestore(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	vars := moduleVars(server, "mymodule1")
	noise := make([]byte, 16<<20) // all bytes, which Redis cannot compress
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	const key = "module/mymodule1/large"
	server.Do("SET", key, noise, "PX", 3_600_000)
	for flag, dump := range map[string]string{
		"--replace":  callApplet(t, vars, "", "redis-dump", key).succeed(t).stdout,
		"--keep-ttl": callApplet(t, vars, "", "redis-dump", "--keep-ttl", key).succeed(t).stdout,
	} {
		server.Do("DEL", key)
		callApplet(t, vars, dump, "redis-restore", flag, key).succeed(t)
		if got := server.Admin().Get(t.Context(), key).Val(); got != string(noise) {
			t.Errorf("%s: there are %d bytes, not the %d of before", flag, len(got), len(noise))
		}
		if flag == "--keep-ttl" {
			checkTTL(t, server, key, time.Hour)
		}
	}
}

func TestRedisArchiveKeepsNamesAndTimesToLive(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	vars := moduleVars(server, "mymodule1")
	names := fill(server, "module/mymodule1/app/")
	for _, name := range names[:3] {
		server.Do("PEXPIRE", name, "3600000")
	}
	want := content(t, server, names...)
	for way, args := range map[string][]string{
		"a pattern":         {"--match", "module/mymodule1/app/*"},
		"an own pattern":    {"--match", "mymodule1/app/*"},
		"all keys by name":  names,
		"keys and patterns": append([]string{"--match", "*/app/s*", "module/mymodule1/absent"}, names...),
	} {
		archive := callApplet(t, vars, "", append([]string{"redis-dump"}, args...)...).succeed(t).stdout
		for _, name := range names {
			server.Do("DEL", name)
		}
		callApplet(t, vars, archive, "redis-restore").succeed(t)
		if !maps.Equal(content(t, server, names...), want) {
			t.Errorf("%s: the restored keys differ from the dumped ones", way)
		}
		for i, name := range names {
			checkTTL(t, server, name, map[bool]time.Duration{true: time.Hour}[i < 3])
		}
	}
}

func TestRedisArchiveIsAdoptedByAnotherModule(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	names := fill(server, "module/mymodule1/")
	archive := callApplet(t, moduleVars(server, "mymodule1"), "", append([]string{"redis-dump"}, names...)...).succeed(t).stdout
	got := callApplet(t, moduleVars(server, "mymodule2"), archive, "redis-restore").succeed(t)
	if strings.Count(got.stderr, "note:") != 1 || !strings.Contains(got.stderr, `"module/mymodule2/"`) {
		t.Errorf("told %q, want one note of the new place", got.stderr)
	}
	for _, name := range names {
		adopted := strings.Replace(name, "mymodule1", "mymodule2", 1)
		if v := content(t, server, adopted, name); v[adopted] != v[name] {
			t.Errorf("key %q differs from %q", adopted, name)
		}
	}
}

func TestRedisKeepTTLWithASingleKey(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	vars := moduleVars(server, "mymodule1")
	server.Do("SET", "module/mymodule1/session", "s", "EX", "3600")
	dump := callApplet(t, vars, "", "redis-dump", "--keep-ttl", "module/mymodule1/session").succeed(t).stdout

	callApplet(t, vars, dump, "redis-restore", "--keep-ttl", "module/mymodule1/copy").succeed(t)
	checkTTL(t, server, "module/mymodule1/copy", time.Hour)
	callApplet(t, vars, dump, "redis-restore", "module/mymodule1/forever", "0").succeed(t)
	checkTTL(t, server, "module/mymodule1/forever", 0)

	raw := callApplet(t, vars, "", "redis-dump", "module/mymodule1/session").succeed(t).stdout
	callApplet(t, vars, raw, "redis-restore", "--keep-ttl", "module/mymodule1/other").fail(t, exit.BadDump, "no time to live")
}

func TestRedisKeyOfTheModuleIsTakenBelowModule(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	vars := moduleVars(server, "mymodule1")
	server.Do("SET", "module/mymodule1/mykey", "value")
	got := callApplet(t, vars, "", "redis-dump", "mymodule1/mykey").succeed(t)
	if !strings.Contains(got.stderr, `note: key "mymodule1/mykey" is taken as "module/mymodule1/mykey"`) {
		t.Errorf("told %q", got.stderr)
	}
	server.Do("DEL", "module/mymodule1/mykey")
	callApplet(t, vars, got.stdout, "redis-restore", "mymodule1/mykey").succeed(t)
	if v := server.Do("GET", "module/mymodule1/mykey"); v != "value" {
		t.Errorf("got %q back", v)
	}
	// The name of another module with the same beginning is not our business.
	callApplet(t, vars, got.stdout, "redis-restore", "mymodule12/mykey").fail(t, exit.Forbidden, `"mymodule12/mykey"`)
}

func TestRedisAbsentKeysAndEmptyInputAreNoErrors(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	vars := moduleVars(server, "mymodule1")
	if got := callApplet(t, vars, "", "redis-dump", "module/mymodule1/absent").succeed(t); got.stdout != "" {
		t.Errorf("an absent key wrote %q", got.stdout)
	}
	callApplet(t, vars, "", "redis-restore", "module/mymodule1/absent").succeed(t)
	empty := callApplet(t, vars, "", "redis-dump", "--match", "module/mymodule1/absent*").succeed(t).stdout
	callApplet(t, vars, empty, "redis-restore").succeed(t)
	if keys := server.Admin().Keys(t.Context(), "module/mymodule1/absent*").Val(); len(keys) > 0 {
		t.Errorf("keys %q was created", keys)
	}
}

func TestRedisRestoreLeavesExistingKeysAlone(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	vars := moduleVars(server, "mymodule1")
	server.Do("MSET", "module/mymodule1/a", "old", "module/mymodule1/b", "old")
	raw := callApplet(t, vars, "", "redis-dump", "module/mymodule1/a").succeed(t).stdout
	archive := callApplet(t, vars, "", "redis-dump", "module/mymodule1/a", "module/mymodule1/b").succeed(t).stdout
	server.Do("DEL", "module/mymodule1/a")
	server.Do("SET", "module/mymodule1/b", "new")

	callApplet(t, vars, raw, "redis-restore", "module/mymodule1/b").fail(t, exit.KeyExists, "--replace")
	callApplet(t, vars, archive, "redis-restore").fail(t, exit.KeyExists, "nothing was stored")
	if n := server.Do("EXISTS", "module/mymodule1/a"); n != int64(0) {
		t.Error("a key of a refused archive was stored")
	}
	if v := server.Do("GET", "module/mymodule1/b"); v != "new" {
		t.Errorf("the existing key became %q", v)
	}
	callApplet(t, vars, archive, "redis-restore", "--replace").succeed(t)
	if v := server.Do("GET", "module/mymodule1/b"); v != "old" {
		t.Errorf("--replace left %q", v)
	}
}

func TestRedisRestoreOfOneKeyFromAnArchive(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	vars := moduleVars(server, "mymodule1")
	server.Do("MSET", "module/mymodule1/a", "1", "module/mymodule1/b", "2")
	archive := callApplet(t, vars, "", "redis-dump", "module/mymodule1/a", "module/mymodule1/b").succeed(t).stdout
	server.Do("DEL", "module/mymodule1/a", "module/mymodule1/b")

	callApplet(t, vars, archive, "redis-restore", "mymodule1/b").succeed(t)
	if n := server.Do("EXISTS", "module/mymodule1/a"); n != int64(0) {
		t.Error("another key than the named one was stored")
	}
	if v := server.Do("GET", "module/mymodule1/b"); v != "2" {
		t.Errorf("got %q back", v)
	}
	callApplet(t, vars, archive, "redis-restore", "module/mymodule1/c").fail(t, exit.NotFound, "does not hold")
}

func TestRedisRestoreRefusesDamagedDumps(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	vars := moduleVars(server, "mymodule1")
	server.Do("SET", "module/mymodule1/a", strings.Repeat("value", 20))
	raw := callApplet(t, vars, "", "redis-dump", "module/mymodule1/a").succeed(t).stdout
	archive := callApplet(t, vars, "", "redis-dump", "--keep-ttl", "module/mymodule1/a").succeed(t).stdout
	flipped := []byte(raw)
	flipped[3] ^= 1

	for name, c := range map[string]struct{ dump, want string }{
		"one byte":             {raw[:1], "truncated to 1 bytes"},
		"half of it":           {raw[:len(raw)/2], "checksum is wrong"},
		"a flipped bit":        {string(flipped), "checksum is wrong"},
		"some text":            {"this is no dump at all\n", "checksum is wrong"},
		"a newer version":      {newerVersion(raw), "RDB version 4242"},
		"a truncated archive":  {archive[:len(archive)-3], "truncated"},
		"the archive's header": {archive[:10], "truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			callApplet(t, vars, c.dump, "redis-restore", "module/mymodule1/new").fail(t, exit.BadDump, c.want)
			if n := server.Do("EXISTS", "module/mymodule1/new"); n != int64(0) {
				t.Error("the key was created")
			}
		})
	}
}

// newerVersion returns the dump as a Redis of the far future would write it.
func newerVersion(raw string) string {
	const footer = 2 + 8 // the version and the checksum
	b := []byte(raw[:len(raw)-footer])
	b = append(b, 4242&0xff, 4242>>8)
	sum := jonesSum(b)
	for range 8 {
		b = append(b, byte(sum))
		sum >>= 8
	}
	return string(b)
}

// jonesSum is the checksum of DUMP bit by bit, as its definition has it.
func jonesSum(data []byte) uint64 {
	var sum uint64
	for _, c := range data {
		sum ^= uint64(c)
		for range 8 {
			sum = sum>>1 ^ -(sum&1)&0x95ac9329ac4bc9b5
		}
	}
	return sum
}

func TestRedisWithoutPermission(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	vars := moduleVars(server, "mymodule1")
	server.Do("HSET", "private/agents/secret", "d", "s")
	server.Do("HSET", "private/nodes/secret", "d", "s")
	server.Do("SET", "module/mymodule1/a", "1")
	raw := callApplet(t, vars, "", "redis-dump", "module/mymodule1/a").succeed(t).stdout

	// User "default" may not read this one, the agent may.
	if callApplet(t, vars, "", "redis-dump", "private/agents/secret").succeed(t).stdout == "" {
		t.Error("the agent's own permission was not used")
	}
	callApplet(t, vars, "", "redis-dump", "private/nodes/secret").fail(t, exit.Forbidden, `user "module/mymodule1" has no permission`)
	callApplet(t, map[string]string{"REDIS_REPLICA_ADDRESS": server.Addr}, "", "redis-dump", "private/nodes/secret").
		fail(t, exit.Forbidden, `user "default" has no permission`)
	callApplet(t, vars, raw, "redis-restore", "module/mymodule2/a").fail(t, exit.Forbidden, `"module/mymodule2/a"`)
	callApplet(t, vars, raw, "redis-restore", "elsewhere").fail(t, exit.Forbidden, `"elsewhere"`)
}

func TestRedisAwayOrRefusing(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	vars := moduleVars(server, "mymodule1")
	with := func(name, value string) map[string]string {
		changed := maps.Clone(vars)
		changed[name] = value
		return changed
	}
	server.Do("SET", "module/mymodule1/a", "1")
	raw := callApplet(t, vars, "", "redis-dump", "module/mymodule1/a").succeed(t).stdout

	t.Run("half an environment", func(t *testing.T) {
		callApplet(t, with("REDIS_PASSWORD", ""), raw, "redis-restore", "k").fail(t, exit.Usage, "REDIS_PASSWORD")
	})
	t.Run("no environment", func(t *testing.T) {
		callApplet(t, nil, raw, "redis-restore", "k").fail(t, exit.Usage, "REDIS_USER")
	})
	t.Run("a wrong password", func(t *testing.T) {
		got := callApplet(t, with("REDIS_PASSWORD", "very-secret"), raw, "redis-restore", "k")
		got.fail(t, exit.Redis, "wrong password")
		if strings.Contains(got.stderr, "very-secret") {
			t.Error("the password is in the error")
		}
		callApplet(t, with("REDIS_PASSWORD", "wrong"), "", "redis-dump", "private/agents/x").fail(t, exit.Redis, "wrong password")
	})
	t.Run("a read-only replica", func(t *testing.T) {
		server.Do("REPLICAOF", "127.0.0.1", "1")
		callApplet(t, vars, raw, "redis-restore", "module/mymodule1/b").fail(t, exit.Redis, "read-only replica")
		server.Do("REPLICAOF", "NO", "ONE")
	})
	t.Run("no user default", func(t *testing.T) {
		server.Do("ACL", "SETUSER", "default", "off")
		if got := callApplet(t, vars, "", "redis-dump", "module/mymodule1/a").succeed(t); got.stdout != raw {
			t.Errorf("the agent's credentials read %q", got.stdout)
		}
	})
	t.Run("no server", func(t *testing.T) {
		server.Kill()
		callApplet(t, vars, "", "redis-dump", "k").fail(t, exit.Redis, "does not answer")
		callApplet(t, vars, raw, "redis-restore", "k").fail(t, exit.Redis, "does not answer")
	})
}

func TestRedisCommandLinesThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args  []string
		stdin string
		want  string
	}{
		"no key to dump":           {[]string{"redis-dump"}, "", "name a key"},
		"an unknown flag":          {[]string{"redis-dump", "--wat", "k"}, "", "--wat"},
		"an empty key to dump":     {[]string{"redis-dump", ""}, "", "empty"},
		"one among several":        {[]string{"redis-dump", "k", ""}, "", "empty"},
		"a key that looks a flag":  {[]string{"redis-dump", "-k"}, "", "-k"},
		"a TTL that is a word":     {[]string{"redis-restore", "k", "soon"}, "x", "milliseconds"},
		"a TTL without end":        {[]string{"redis-restore", "k", "99999999999999999999"}, "x", "milliseconds"},
		"a TTL in two ways":        {[]string{"redis-restore", "--keep-ttl", "k", "5"}, "x", "exclude each other"},
		"too many arguments":       {[]string{"redis-restore", "k", "5", "6"}, "x", "at most 2"},
		"an empty key":             {[]string{"redis-restore", ""}, "x", "empty"},
		"a raw dump without a key": {[]string{"redis-restore"}, "x", "name it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			callApplet(t, nil, c.stdin, c.args...).fail(t, exit.Usage, c.want)
		})
	}
}

func TestRedisKeysWithNamesLikeFlags(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	vars := map[string]string{
		"REDIS_ADDRESS": server.Addr, "REDIS_REPLICA_ADDRESS": server.Addr,
		"REDIS_USER": redistest.AdminUser, "REDIS_PASSWORD": redistest.Password(redistest.AdminUser),
	}
	for _, name := range []string{"--keep-ttl", "-", "it's \"quoted\"", " ", "*"} {
		server.Do("SET", name, "v")
		dump := callApplet(t, vars, "", "redis-dump", "--", name).succeed(t).stdout
		server.Do("DEL", name)
		callApplet(t, vars, dump, "redis-restore", "--", name).succeed(t)
	}
	keys := server.Admin().Keys(t.Context(), "*").Val()
	if slices.Sort(keys); len(keys) != 5 {
		t.Errorf("keys %q", keys)
	}
}

func TestRedisDumpStopsWhenInterrupted(t *testing.T) {
	t.Parallel()
	server := cluster(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(exit.SignalError{Signal: 15})
	vars := moduleVars(server, "mymodule1")
	var stdout, stderr bytes.Buffer
	sys := host.NewSystem(strings.NewReader(""), &stdout, &stderr)
	sys.Env = host.NewEnvironment(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
	if code := execute(ctx, sys, []string{"redis-dump", "module/mymodule1/a"}); code != 128+15 {
		t.Errorf("exit status %d: %s", code, &stderr)
	}
}

func TestJonesSumIsTheChecksumOfRedis(t *testing.T) {
	// The check value of CRC-64/Jones, as in Redis' own test.
	if sum := jonesSum([]byte("123456789")); sum != 0xe9c6d914c4b8d9ca {
		t.Fatalf("checksum %x", sum)
	}
}
