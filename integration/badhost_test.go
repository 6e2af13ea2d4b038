package integration

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// A host, a Redis or a storage that is not as it must be: each is told in one
// line, which says what to do, with the right exit code.

// wantOneLine wants a program's end: the code, and one line of the name with the
// text behind it.
func wantOneLine(t *testing.T, name string, got outcome, code int, text string) {
	t.Helper()
	var told []string
	for line := range strings.Lines(got.stderr) {
		if strings.HasPrefix(line, name+": ") {
			told = append(told, line)
		}
	}
	if got.code != code || len(told) != 1 || !strings.Contains(told[0], text) {
		t.Errorf("exit code %d, want %d and one line with %q:\n%s", got.code, code, text, got.stderr)
	}
	wantNoSecret(t, "the output", got.stdout+got.stderr)
}

// finished runs cmd to its end.
func finished(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return outcome{exitCode(err), stdout.String(), stderr.String()}
}

// asOrdinaryUser makes cmd run as somebody for whom permissions count. The program
// is opened before, as it may lie where that user cannot go.
func asOrdinaryUser(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	file, err := os.Open(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	cmd.ExtraFiles = []*os.File{file}
	cmd.Path, cmd.Dir = "/proc/self/fd/3", "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: foreignID, Gid: foreignID}}
}

const foreignID = 65534

// ordinaryUser is the UID of the programs that asOrdinaryUser starts.
func ordinaryUser() int {
	if uid := os.Geteuid(); uid != 0 {
		return uid
	}
	return foreignID
}

func TestAddressesThatCannotBeHad(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for _, tt := range []struct{ name, addr, text string }{
		{"taken", taken.Addr().String(), "address already in use: stop what listens there (ss -ltnp names it), or choose another port"},
		{"of another host", "192.0.2.1:4694", "cannot assign requested address: this host has no such address, or no IPv6"},
		{"a socket where there is no directory", "unix:/nonexistent/gateway.sock", "no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := finished(t, c.command(t, "serve", "--addr", tt.addr))
			wantOneLine(t, "rclone-gateway", got, 1, "--addr "+tt.addr+": ")
			wantOneLine(t, "rclone-gateway", got, 1, tt.text)
		})
	}
}

// TestDirectoriesThatAnOrdinaryUserCannotWrite runs the programs as one.
func TestDirectoriesThatAnOrdinaryUserCannotWrite(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	foreign := foreignDir(t)

	cmd := c.command(t, "serve", "--addr", "127.0.0.1:0", "--state-dir", filepath.Join(foreign, "state"))
	asOrdinaryUser(t, cmd)
	wantOneLine(t, "rclone-gateway", finished(t, cmd), 2, "state directory: mkdir "+foreign+"/state: permission denied")

	cmd = c.command(t, "serve", "--addr", "unix:"+filepath.Join(foreign, "gateway.sock"))
	asOrdinaryUser(t, cmd)
	wantOneLine(t, "rclone-gateway", finished(t, cmd), 1, "permission denied")

	// A destination: found out when it is added, and by whoever is backed up to it.
	c.AddLocalDestination(moreDest, foreign)
	cmd = c.command(t, "serve", "--addr", "127.0.0.1:0")
	asOrdinaryUser(t, cmd)
	d := c.startCommand(t, cmd)
	d.out.want(t, "loaded from Redis")
	agent := filepath.Join(t.TempDir(), "node.env")
	writeFile(t, agent, []byte("REDIS_USER=node/1\nREDIS_PASSWORD="+redistest.Password("node/1")+"\n"))
	environment := []string{
		"PATH=" + os.Getenv("PATH"), "REDIS_ADDRESS=" + c.Addr, "REDIS_USER=cluster", "REDIS_PASSWORD=" + redistest.Password("cluster"),
		"NS8_AGENT_ENV=" + agent, "NS8_GATEWAY_URL=" + d.url,
	}
	ctl := func(args ...string) outcome {
		cmd := commandContext(t, program(t, "GATEWAYCTL"), args...)
		cmd.Env = environment
		return finished(t, cmd)
	}
	conf := filepath.Join(t.TempDir(), "rclone.conf")
	writeFile(t, conf, []byte("[x]\ntype = local\n"))
	got := ctl("destination", "add", "--provider", "rclone", "--conf", conf, "--base-path", foreign)
	wantOneLine(t, "gatewayctl", got, 7, " (UID "+strconv.Itoa(ordinaryUser())+") write into the directory "+foreign+": check owner and mode of it")
	if strings.Contains(got.stderr, "s3:") {
		t.Errorf("a directory is given the advice for S3: %s", got.stderr)
	}

	content, name := blob(100)
	d.module("mail1").want(t, http.StatusInsufficientStorage, http.MethodPost, "/"+moreDest+"/"+mailRepo+"/data/"+name, content)
	d.out.want(t, `"status":507`, "permission denied")
}

// TestModulesThatCannotWrite backs up and restores as an ordinary user whose state
// directory, or volume, is root's.
func TestModulesThatCannotWrite(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		testenv.Missing(t, "only root can make files that are not one's own")
	}
	s := newStandalone(t)
	s.serve(t)
	s.addStore(t)
	s.addModule(t, "app1")
	s.ctl(t, "schedule", "add", "--destination", s.dest, "app1").succeed(t)
	data := filepath.Join(s.path("app1"), "volumes", "data")
	writeFile(t, filepath.Join(data, "file"), []byte("content"))
	s.inModule(t, "app1", "gatewayctl module-backup 1").succeed(t)

	// That user may go there, and gets a restic where it may go.
	for _, dir := range []string{filepath.Dir(s.dir), s.dir} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	bin := foreignDir(t)
	runCommand(t, commandContext(t, "cp", program(t, "RESTIC_0_18"), filepath.Join(bin, "restic")))
	ctl := func(args ...string) outcome {
		cmd := commandContext(t, program(t, "GATEWAYCTL"), args...)
		asOrdinaryUser(t, cmd)
		cmd.Env = append([]string{"PATH=" + bin + ":/usr/bin:/bin"}, s.vars...)
		for name, value := range s.env(t, "app1.env") {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		return finished(t, cmd)
	}
	state := filepath.Join(s.path("app1"), "state")
	wantOneLine(t, "gatewayctl", ctl("module-backup", "1"), 1, "lock the module's backups: open "+state+"/.module-backup.lock: permission denied")

	if err := os.Chmod(state, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(data, "file")); err != nil {
		t.Fatal(err)
	}
	got := ctl("restore-module", "--step", "10restore", "--destination", s.dest)
	wantOneLine(t, "gatewayctl", got, 1, "restore into "+data+": permission denied: check its owner and mode, and its mount")
}

// foreignDir is a directory that others than its owner cannot write.
func foreignDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "foreign")
	if err != nil {
		t.Fatal(err)
	}
	mode := os.FileMode(0o755)
	if os.Geteuid() != 0 {
		mode = 0o555
	}
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestBadRedisOfTheGateway has each defect named by check-config, and waited for
// by the server, which says the same once.
func TestBadRedisOfTheGateway(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	closed := redistest.Start(t)
	closed.Do("ACL", "SETUSER", "default", "resetpass", ">"+adminPassword)
	replica := redistest.Start(t, "--replicaof", strings.Replace(c.Addr, ":", " ", 1),
		"--masteruser", redistest.AdminUser, "--masterauth", redistest.Password(redistest.AdminUser))
	waitFor(t, "the replica to have all", func() bool { return replica.Do("EXISTS", catalog.ACLs) == int64(1) })
	without := redistest.Start(t, "--rename-command", "ACL", "")
	for _, tt := range []struct {
		name, addr, user, password string
		text                       string // empty: all is well
	}{
		{"nobody there", "127.0.0.1:1", "node/1", "x", "connection refused; check that Redis runs and that its address is right"},
		{"a password nobody told us", closed.Addr, "", "", "NOAUTH Authentication required.; give a Redis user and password"},
		{"a wrong password", c.Addr, "node/1", wrongPassword, "WRONGPASS invalid username-password pair or user is disabled.; check the Redis user and password"},
		{"without ACLs", without.Addr, redistest.AdminUser, redistest.Password(redistest.AdminUser), "this server lacks a command of Redis 6, which is needed: ERR unknown command 'acl'"},
		{"version 5", redistest.StartVersion5(t, ""), "node/1", "x", "this server knows no users, so it is older than Redis 6, which is needed"},
		{"version 5 without a user", redistest.StartVersion5(t, ""), "", "", "this server lacks a command of Redis 6, which is needed"},
		{"in protected mode, for another host", redistest.StartProtected(t), "node/1", "x", "Redis ended the connection: check that it runs; in protected mode it takes nobody from other hosts"},
		{"a read-only replica", replica.Addr, redistest.AdminUser, redistest.Password(redistest.AdminUser), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			command := func(args ...string) *exec.Cmd {
				cmd := c.command(t, args...)
				cmd.Env = append(cmd.Env, "REDIS_ADDRESS="+tt.addr, "REDIS_USER="+tt.user, "REDIS_PASSWORD="+tt.password, "GATEWAY_LOG_LEVEL=info")
				return cmd
			}
			got := finished(t, command("check-config"))
			if tt.text == "" {
				if got.code != 0 {
					t.Errorf("exit code %d: %s", got.code, got.stderr)
				}
				return
			}
			wantOneLine(t, "rclone-gateway", got, 1, tt.text)

			d := c.startCommand(t, command("serve", "--addr", "127.0.0.1:0"))
			d.out.want(t, "cannot load from Redis, trying again", tt.text)
			d.module("mail1").want(t, http.StatusServiceUnavailable, http.MethodGet, "/"+localDest+"/"+mailRepo+"/config", nil)
			d.signal(t, syscall.SIGTERM)
			if code := d.wait(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if n := strings.Count(strings.Join(d.out.all(), "\n"), "cannot load from Redis"); n != 1 {
				t.Errorf("the log says it %d times", n)
			}
		})
	}
}

// TestAClockThatIsAnHourOff stands between the gateway and an S3 server whose clock
// is an hour ahead of ours.
func TestAClockThatIsAnHourOff(t *testing.T) {
	c := newCluster(t)
	g := c.serve(t)
	call := administrator(t, c, g)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "backups"), 0o755); err != nil {
		t.Fatal(err)
	}
	// Without keys it looks at the time of a request, and not at its signature,
	// which we cannot make again.
	target, err := url.Parse(startRclone(t, "s3", dir))
	if err != nil {
		t.Fatal(err)
	}
	const stamp = "20060102T150405Z"
	shift := func(tellsTime bool) string {
		proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if at, err := time.Parse(stamp, r.In.Header.Get("X-Amz-Date")); err == nil {
				r.Out.Header.Set("X-Amz-Date", at.Add(-time.Hour).Format(stamp))
			}
		}}
		proxy.ModifyResponse = func(r *http.Response) error {
			if tellsTime {
				r.Header.Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
			}
			return nil
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: proxy, ReadHeaderTimeout: patience}
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(func() { _ = server.Close() })
		return "http://" + listener.Addr().String()
	}
	// One server tells its time in each answer, as S3 does; the other does not.
	for _, tells := range []bool{true, false} {
		endpoint := shift(tells)
		status, _, stderr := call(s3SecretKey, "add", "--provider", "generic-s3", "--url", "s3:"+endpoint+"/backups/x",
			"--set", "aws_access_key_id="+s3AccessKey, "--secret-file", "aws_secret_access_key=-")
		wantOneLine(t, "gatewayctl", outcome{code: status, stderr: stderr}, 5, "the clocks of this node and of the storage differ: set this node's clock")
	}
	c.AddDestinations(s3Destination(moreDest, shift(true)))
	content, name := blob(100)
	answer := g.module("mail1").call(t, http.MethodPost, "/"+moreDest+"/"+mailRepo+"/data/"+name, content)
	if answer.status != http.StatusBadGateway && answer.status != http.StatusServiceUnavailable {
		t.Errorf("a module is answered %d, which may not end its backup", answer.status)
	}
	g.log.want(t, `"obj":"data/`+name, "RequestTimeTooSkewed")
}

// TestPoorEnvironments backs up and restores, names and all, where a module has
// less than most.
func TestPoorEnvironments(t *testing.T) {
	t.Parallel()
	s := newStandalone(t)
	s.serve(t)
	s.addStore(t)
	for i, tt := range []struct {
		name string
		vars []string
		says string // beside what every backup says
	}{
		{"a locale without UTF-8", []string{"LC_ALL=C", "LANG=C"}, ""},
		{"a locale that does not exist", []string{"LC_ALL=xx_XX.ISO-8859-1"}, ""},
		{"a home that cannot be written", []string{"HOME=/proc"}, "cache"},
		{"no home", []string{"HOME="}, "snapshot "}, // the system knows the user's
	} {
		t.Run(tt.name, func(t *testing.T) {
			from, to := "poor"+strconv.Itoa(2*i), "poor"+strconv.Itoa(2*i+1)
			s.addModule(t, from)
			data := filepath.Join(s.path(from), "volumes", "data")
			for name, text := range map[string]string{"größe/naïve – 日本語.txt": "ünïcödé", "latin1-\xe4\xff": "bytes", "plain": "x"} {
				writeFile(t, filepath.Join(data, name), []byte(text))
			}
			schedule := strings.TrimSpace(s.ctl(t, "schedule", "add", "--destination", s.dest, from).succeed(t).stdout)
			in := func(id, command string) outcome {
				return s.inModule(t, id, "env "+strings.Join(tt.vars, " ")+" "+command)
			}
			got := in(from, "gatewayctl module-backup "+schedule).succeed(t)
			if !strings.Contains(got.stderr, "snapshot ") || !strings.Contains(got.stderr, tt.says) {
				t.Errorf("the backup says %q", got.stderr)
			}
			uuid := s.env(t, from+".env")["MODULE_UUID"]
			s.addModule(t, to, "--restore-from", uuid)
			in(to, "gatewayctl restore-module --destination "+s.dest+" --repopath poor/"+uuid).succeed(t)
			if want, got := readTree(t, data), readTree(t, filepath.Join(s.path(to), "volumes", "data")); !maps.Equal(want, got) || len(want) != 6 {
				t.Errorf("restored is %v, want %v", got, want)
			}
		})
	}
}

// TestTheGatewayNeedsNoHome runs it without one, and in a locale without UTF-8.
func TestTheGatewayNeedsNoHome(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, vars := range [][]string{{"HOME=/proc", "LC_ALL=C", "LANG=C"}, {"HOME="}} {
		cmd := c.command(t, "serve", "--addr", "127.0.0.1:0")
		cmd.Env = append(cmd.Env, vars...)
		d := c.startCommand(t, cmd)
		d.out.want(t, "loaded from Redis")
		content, name := blob(100)
		target := "/" + localDest + "/" + mailRepo + "/data/" + name
		d.module("mail1").want(t, http.StatusOK, http.MethodPost, target, content)
		for _, line := range d.out.all() {
			if strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, "HOME") {
				t.Errorf("with %q it says %s", vars, line)
			}
		}
		d.signal(t, syscall.SIGTERM)
		d.wait(t)
	}
}

// withoutIPv6 is the variable by which TestWithoutIPv6 finds itself on a host that
// has none.
const withoutIPv6 = "TEST_WITHOUT_IPV6"

// TestWithoutIPv6 runs the way from a plain Redis to a backup once more in a network
// that has no IPv6, where the name localhost may still have such an address.
func TestWithoutIPv6(t *testing.T) {
	if os.Getenv(withoutIPv6) != "" {
		c := newCluster(t)
		for _, addr := range []string{"[::1]:4694", "[fd00::1]:4694"} {
			wantOneLine(t, "rclone-gateway", finished(t, c.command(t, "serve", "--addr", addr)), 1,
				"cannot assign requested address: this host has no such address, or no IPv6")
		}
		// All addresses are all there are; localhost is the one that answers.
		d := c.start(t, "--addr", "[::]:0", "--addr", "localhost:0")
		d.out.want(t, `"msg":"starting"`, "127.0.0.1:")
		s := newStandalone(t)
		s.serve(t)
		for i, variable := range s.vars {
			s.vars[i] = strings.Replace(variable, "127.0.0.1", "localhost", 1)
		}
		s.addStore(t)
		s.addModule(t, "app1")
		s.ctl(t, "schedule", "add", "--destination", s.dest, "app1").succeed(t)
		s.inModule(t, "app1", "gatewayctl module-backup 1").succeed(t)
		return
	}
	t.Parallel()
	if os.Geteuid() != 0 {
		testenv.Missing(t, "only root can make a network without IPv6")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const script = `ip link set lo up && echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && exec "$0" -test.run '^TestWithoutIPv6$' -test.count 1 -test.timeout 3m`
	cmd := commandContext(t, "/usr/bin/unshare", "--net", "sh", "-c", script, self)
	cmd.Env = append(os.Environ(), withoutIPv6+"=1")
	if got := finished(t, cmd); got.code != 0 {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}
